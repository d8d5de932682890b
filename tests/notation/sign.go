package main

import (
	"context"
	"fmt"

	"github.com/notaryproject/notation-core-go/signature/cose"
	"github.com/notaryproject/notation-core-go/signature/jws"
	"github.com/notaryproject/notation-go"
	"github.com/notaryproject/notation-go/signer"
)

// formats are the envelopes, by the words of --signature-format.
var formats = map[string]string{"jws": jws.MediaTypeEnvelope, "cose": cose.MediaTypeEnvelope}

func sign(ctx context.Context, args []string) error {
	options := newOptions("sign")
	format := options.String("signature-format", "jws", "envelope: jws or cose")
	key := options.String("key", "", "the private key, as PEM")
	chain := options.String("certificate-chain", "", "the certificates from the leaf to the root, as PEM")
	expiry := options.Duration("expiry", 0, "how long the signature is good for")
	user := metadata{}
	options.Var(user, "user-metadata", "KEY=VALUE to sign along, may be given often")
	artifact, err := options.open(args)
	if err != nil {
		return err
	}
	mediaType, known := formats[*format]
	if !known {
		return fmt.Errorf("expected the signature format jws or cose, found %q", *format)
	}
	local, err := signer.NewGenericSignerFromFiles(*key, *chain)
	if err != nil {
		return err
	}
	if _, err := artifact.resolve(ctx); err != nil {
		return err
	}
	_, err = notation.Sign(ctx, local, artifact.repository, notation.SignOptions{
		SignerSignOptions: notation.SignerSignOptions{SignatureMediaType: mediaType, ExpiryDuration: *expiry},
		ArtifactReference: artifact.reference.String(),
		UserMetadata:      user,
	})
	if err != nil {
		return err
	}
	fmt.Println("Successfully signed", artifact.reference)
	return nil
}
