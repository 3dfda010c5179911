// Command coredns is CoreDNS with just the plugins that the cluster uses; all of them would take five times as long to
// build.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

func main() {
	// The order in which plugins see a query, as CoreDNS itself has it.
	dnsserver.Directives = []string{"health", "ready", "errors", "cache", "template", "hosts", "kubernetes"}
	coremain.Run()
}
