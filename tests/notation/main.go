// Command notation signs and verifies with the Notary Project's own library, in the words of its command.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
)

const usage = `usage:
  notation sign   --key FILE --certificate-chain FILE [--signature-format jws|cose] [--expiry DURATION] [--user-metadata KEY=VALUE]... [--plain-http] REFERENCE
  notation verify --trust DIR [--user-metadata KEY=VALUE]... [--plain-http] REFERENCE
  notation list   [--plain-http] REFERENCE`

// command is one of the words that may follow the program's name.
type command func(context.Context, []string) error

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	commands := map[string]command{"sign": sign, "verify": verify, "list": list}
	if len(args) == 0 || commands[args[0]] == nil {
		return errors.New(usage)
	}
	return commands[args[0]](ctx, args[1:])
}

// metadata is a flag that may be given often: KEY=VALUE.
type metadata map[string]string

func (m metadata) String() string { return "" }

func (m metadata) Set(pair string) error {
	key, value, found := strings.Cut(pair, "=")
	if !found || key == "" {
		return fmt.Errorf("expected KEY=VALUE, found %q", pair)
	}
	m[key] = value
	return nil
}

// options are what every command takes.
type options struct {
	*flag.FlagSet
	plainHTTP *bool
}

func newOptions(name string) options {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	return options{flags, flags.Bool("plain-http", false, "speak HTTP without TLS")}
}

// open parses the arguments and opens the one reference among them.
func (o options) open(args []string) (*artifact, error) {
	if err := o.Parse(args); err != nil {
		return nil, err
	}
	if o.NArg() != 1 {
		return nil, fmt.Errorf("expected one reference, found %d\n%s", o.NArg(), usage)
	}
	return openArtifact(o.Arg(0), *o.plainHTTP)
}
