package main

import (
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/client-go/util/cert"
)

// newKeysCommand writes one key pair that serves the whole cluster: TLS of the API server and of the node, and the signature
// of service-account tokens. tls.crt ends with the authority that signed it, so it is what clients trust, too.
func newKeysCommand() *cobra.Command {
	return &cobra.Command{
		Use:  "keys FOLDER ADDRESS NAME [NAME ...]",
		Args: cobra.MinimumNArgs(3),
		RunE: func(_ *cobra.Command, args []string) error {
			folder, address, names := args[0], args[1], args[2:]
			addresses := []net.IP{net.ParseIP("127.0.0.1")}
			certificate, key, err := cert.GenerateSelfSignedCertKey(address, addresses, names)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(folder, "tls.crt"), certificate, 0o644); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(folder, "tls.key"), key, 0o600)
		},
	}
}
