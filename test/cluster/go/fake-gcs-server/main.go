// A Google Cloud Storage for tests: fake-gcs-server, which accepts every client, behind a check of access tokens.
//
// Arguments: the address to listen on, the URL of clients, and the bucket to create. POST /token exchanges the assertion of a service
// account for a token. The account decides: writer@… can read and write, reader@… can only read, all others are rejected.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

func main() {
	address, url, bucket := os.Args[1], os.Args[2], os.Args[3]
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, ExternalURL: url, PublicHost: "public.invalid"})
	if err != nil {
		log.Fatal(err)
	}
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
	handler := http.NewServeMux()
	handler.HandleFunc("POST /token", exchange)
	handler.Handle("/", authorized(server.HTTPHandler()))
	log.Fatal(http.ListenAndServe(address, handler))
}

func exchange(response http.ResponseWriter, request *http.Request) {
	account, _, _ := strings.Cut(issuer(request.PostFormValue("assertion")), "@")
	response.Header().Set("Content-Type", "application/json")
	if account != "writer" && account != "reader" {
		response.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(response, `{"error": "invalid_grant", "error_description": "Invalid JWT Signature."}`)
		return
	}
	fmt.Fprintf(response, `{"access_token": %q, "expires_in": 3600, "token_type": "Bearer"}`, account)
}

func issuer(assertion string) string {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	var claims struct{ Iss string }
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.Iss
}

func authorized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		account := strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer ")
		isRead := request.Method == http.MethodGet || request.Method == http.MethodHead
		switch {
		case account == "writer", account == "reader" && isRead:
			next.ServeHTTP(response, request)
		case account == "reader":
			reject(response, http.StatusForbidden, "reader does not have storage.objects.create access")
		default:
			reject(response, http.StatusUnauthorized, "Invalid Credentials")
		}
	})
}

func reject(response http.ResponseWriter, code int, message string) {
	response.Header().Set("Content-Type", "application/json")
	response.WriteHeader(code)
	fmt.Fprintf(response, `{"error": {"code": %d, "message": %q}}`, code, message)
}
