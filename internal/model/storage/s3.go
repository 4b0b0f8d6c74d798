// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
)

var s3store = &store{scheme: "s3", dial: dialS3, describe: describeS3, pin: pinS3}

// dialS3 opens a bucket of S3, or of a service that speaks its protocol. It understands the
// environment variables of the AWS tools and those that KServe sets from a secret's annotations.
func dialS3(ctx context.Context, name string) (*connection, error) {
	hc := awshttp.NewBuildableClient().WithTransportOptions(tune, func(t *http.Transport) {
		if off("S3_VERIFY_SSL") {
			t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} // asked for by name
		}
	})
	metadata, identity := imds.ClientDisabled, "the configured AWS credentials"
	if onEC2() {
		metadata = imds.ClientEnabled
	}
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(hc),
		config.WithDefaultRegion("us-east-1"),
		config.WithEC2IMDSClientEnableState(metadata),
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
	}
	if on("awsAnonymousCredential") || !hasAWSCredentials() {
		identity = "anonymous (no AWS credentials are configured, and " + unread + ")"
		options = append(options, config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, &Error{Subject: "s3://" + name, Reason: "the AWS settings cannot be used: " + err.Error(), Cause: err}
	}
	if built, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok { // with the certificates of AWS_CA_BUNDLE
		cfg.HTTPClient = &http.Client{Transport: s3Transport{newGuard(built.GetTransport(), isPublic)}, CheckRedirect: s3Redirect}
	}
	endpoint := s3Endpoint()
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		if endpoint != "" {
			o.BaseEndpoint = aws.String(endpoint)
		}
		// Path style by default: only Amazon's host names resolve with the bucket as a subdomain.
		o.UsePathStyle = o.BaseEndpoint != nil && !on("S3_USER_VIRTUAL_BUCKET")
		o.UseAccelerate = on("S3_USE_ACCELERATE")
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	b, err := s3blob.OpenBucket(ctx, client, name, nil)
	if err != nil {
		return nil, err
	}
	return &connection{bucket: b, endpoint: aws.ToString(client.Options().BaseEndpoint), identity: identity}, nil
}

// s3Transport adds a Location to a redirect that has none, as Amazon's client
// does. S3 sends such redirects for buckets of another region, and http.Client
// would hide their status behind an error.
type s3Transport struct{ *guard }

// RoundTrip sends a request.
func (t s3Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.guard.RoundTrip(req)
	if err == nil && resp.StatusCode/100 == 3 && resp.Header.Get("Location") == "" {
		resp.Header.Set("Location", nowhere) // see s3Redirect
	}
	return resp, err
}

const nowhere = "https://nowhere.invalid/"

// s3Redirect follows only 307 and 308, which keep the method and the body of a signed request.
func s3Redirect(req *http.Request, via []*http.Request) error {
	code := req.Response.StatusCode
	if req.URL.String() == nowhere || code != http.StatusTemporaryRedirect && code != http.StatusPermanentRedirect {
		return http.ErrUseLastResponse
	}
	return checkRedirect(req, via)
}

// s3Endpoint returns the URL of a service other than Amazon's, or nothing.
func s3Endpoint() string {
	for _, name := range []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "S3_ENDPOINT"} {
		endpoint := os.Getenv(name)
		switch {
		case endpoint == "":
			continue
		case strings.Contains(endpoint, "://"):
			return endpoint
		case off("S3_USE_HTTPS"):
			return "http://" + endpoint
		default:
			return "https://" + endpoint
		}
	}
	return ""
}

// hasAWSCredentials reports whether the library would find credentials without the network.
func hasAWSCredentials() bool {
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_PROFILE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
		"AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
	} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		for _, name := range []string{"credentials", "config"} {
			if _, err := os.Stat(filepath.Join(home, ".aws", name)); err == nil {
				return true
			}
		}
	}
	return onEC2()
}

func onEC2() bool {
	return os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT") != "" || firmware("sys_vendor", "Amazon EC2")
}

func on(name string) bool {
	switch strings.ToLower(os.Getenv(name)) {
	case "1", "true", "yes":
		return true
	}
	return false
}

func off(name string) bool {
	switch strings.ToLower(os.Getenv(name)) {
	case "0", "false", "no":
		return true
	}
	return false
}

func describeS3(stored *blob.ListObject, o *object) {
	var a types.Object
	if stored.As(&a) {
		o.version = aws.ToString(a.ETag)
	}
	o.resumable = o.version != ""
}

func pinS3(as func(any) bool, version string) error {
	var in *s3.GetObjectInput
	if !as(&in) {
		return errors.New("cannot name the version to read")
	}
	if version != "" {
		in.IfMatch = aws.String(version)
	}
	return nil
}
