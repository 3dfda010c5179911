// Validates CustomResourceDefinitions, one JSON document per argument, as the API server of this version does on creation.
// Prints one problem per line; exits with 1 if there is one.
package main

import (
	"context"
	"fmt"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

func main() {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDecoder(apiextensions.SchemeGroupVersion)
	failed := false
	fail := func(path string, problem any) {
		failed = true
		fmt.Printf("%s: %v\n", path, problem)
	}
	for _, path := range os.Args[1:] {
		text, err := os.ReadFile(path)
		if err != nil {
			fail(path, err)
			continue
		}
		definition := &apiextensions.CustomResourceDefinition{}
		if err := runtime.DecodeInto(decoder, text, definition); err != nil {
			fail(path, err)
			continue
		}
		for _, problem := range validation.ValidateCustomResourceDefinition(context.Background(), definition) {
			fail(path, problem)
		}
	}
	if failed {
		os.Exit(1)
	}
}
