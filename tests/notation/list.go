package main

import (
	"context"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func list(ctx context.Context, args []string) error {
	artifact, err := newOptions("list").open(args)
	if err != nil {
		return err
	}
	descriptor, err := artifact.resolve(ctx)
	if err != nil {
		return err
	}
	fmt.Println(artifact.reference)
	return artifact.repository.ListSignatures(ctx, descriptor, func(signatures []ocispec.Descriptor) error {
		for _, signature := range signatures {
			fmt.Println(signature.Digest)
		}
		return nil
	})
}
