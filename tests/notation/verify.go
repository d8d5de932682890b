package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/notaryproject/notation-go"
	"github.com/notaryproject/notation-go/dir"
	"github.com/notaryproject/notation-go/verifier"
	"github.com/notaryproject/notation-go/verifier/trustpolicy"
	"github.com/notaryproject/notation-go/verifier/truststore"
)

// maxSignatures is the command's own default of --max-signatures.
const maxSignatures = 100

func verify(ctx context.Context, args []string) error {
	options := newOptions("verify")
	trust := options.String("trust", "", "the folder that holds trustpolicy.json and x509/")
	user := metadata{}
	options.Var(user, "user-metadata", "KEY=VALUE that must have been signed, may be given often")
	artifact, err := options.open(args)
	if err != nil {
		return err
	}
	if *trust == "" {
		return errors.New("expected --trust")
	}
	policy, err := readPolicy(*trust)
	if err != nil {
		return err
	}
	// Without a plugin manager, no plugin is ever run.
	judge, err := verifier.New(policy, truststore.NewX509TrustStore(trustFolder{os.DirFS(*trust), *trust}), nil)
	if err != nil {
		return err
	}
	if _, err := artifact.resolve(ctx); err != nil {
		return err
	}
	_, outcomes, err := notation.Verify(ctx, judge, artifact.repository, notation.VerifyOptions{
		ArtifactReference:    artifact.reference.String(),
		MaxSignatureAttempts: maxSignatures,
		UserMetadata:         user,
	})
	if err != nil {
		return fmt.Errorf("signature verification failed for %s: %w", artifact.reference, err)
	}
	return tell(artifact, outcomes)
}

// tell prints what was verified, and each check that failed without being enforced.
func tell(artifact *artifact, outcomes []*notation.VerificationOutcome) error {
	outcome := outcomes[0]
	if outcome.VerificationLevel == trustpolicy.LevelSkip {
		fmt.Println("Trust policy is configured to skip signature verification for", artifact.reference)
		return nil
	}
	for _, result := range outcome.VerificationResults {
		if result.Error != nil {
			fmt.Fprintf(os.Stderr, "Warning: %s was set to %q and failed: %v\n", result.Type, result.Action, result.Error)
		}
	}
	signed, err := outcome.UserMetadata()
	if err != nil {
		return err
	}
	fmt.Println("Successfully verified signature for", artifact.reference)
	for key, value := range signed {
		fmt.Printf("%s=%s\n", key, value)
	}
	return nil
}

func readPolicy(trust string) (*trustpolicy.Document, error) {
	written, err := os.ReadFile(filepath.Join(trust, dir.PathTrustPolicy))
	if err != nil {
		return nil, err
	}
	document := &trustpolicy.Document{}
	if err := json.Unmarshal(written, document); err != nil {
		return nil, fmt.Errorf("malformed trust policy: %w", err)
	}
	return document, nil
}

// trustFolder shows the library a folder that holds x509/ itself, where it asks for truststore/x509/.
type trustFolder struct {
	fs.FS
	root string
}

// SysPath says where something of the trust store lies.
func (f trustFolder) SysPath(items ...string) (string, error) {
	path := strings.TrimPrefix(filepath.Join(items...), dir.TrustStoreDir+string(filepath.Separator))
	return filepath.Join(f.root, path), nil
}
