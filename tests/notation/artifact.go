package main

import (
	"context"
	"fmt"

	notationregistry "github.com/notaryproject/notation-go/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// artifact is what a reference names in a registry, and the signatures beside it.
type artifact struct {
	reference  registry.Reference
	repository notationregistry.Repository
}

// openArtifact takes credentials from docker's configuration, as every client does.
func openArtifact(name string, plainHTTP bool) (*artifact, error) {
	reference, err := registry.ParseReference(name)
	if err != nil {
		return nil, err
	}
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, err
	}
	repository, err := remote.NewRepository(reference.String())
	if err != nil {
		return nil, err
	}
	repository.PlainHTTP = plainHTTP
	repository.Client = &auth.Client{
		Client:     retry.DefaultClient,
		Cache:      auth.NewCache(),
		Credential: credentials.Credential(store),
	}
	// A registry that lacks the referrers API gets an index under a tag; what it replaces there stays.
	repository.SkipReferrersGC = true
	return &artifact{reference, notationregistry.NewRepository(repository)}, nil
}

// resolve asks the registry for the descriptor, and pins the reference to its digest.
func (a *artifact) resolve(ctx context.Context) (ocispec.Descriptor, error) {
	descriptor, err := a.repository.Resolve(ctx, a.reference.Reference)
	if err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("failed to resolve %s: %w", a.reference, err)
	}
	a.reference.Reference = descriptor.Digest.String()
	return descriptor, nil
}
