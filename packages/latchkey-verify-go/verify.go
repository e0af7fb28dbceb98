// Package verify checks the tokens (JWT) of a Latchkey sign-in service, offline.
//
// Copy this file into your service; it needs github.com/golang-jwt/jwt/v5 and nothing else.
// One Verifier for each process. It fetches the service's keys (JWKS) and the list of ended
// sessions when it needs them, refreshes both in the background, and keeps them while the
// service cannot be reached.
//
//	verifier, err := verify.New("https://auth.example.org")
//	http.Handle("/", verifier.Middleware(handler))
//	person := verify.PersonOf(request) // nil: not signed in
package verify

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

const (
	leeway       = 30               // seconds by which the clocks of both machines may differ
	maxSeconds   = 1<<53 - 1        // the largest integer that every JSON parser keeps exactly
	maxToken     = 8_192            // characters of a token
	maxFeedToken = 1 << 20          // characters of one answer of the feed
	maxDocument  = 4 << 20          // bytes of a document
	maxKeys      = 32               // keys of a JWKS that are read
	maxCookies   = 8                // cookies of the name that are tried
	maxPages     = 50               // answers of the feed that are read in a row
	retry        = 10 * time.Second // between two attempts while the service is down
	unknownKey   = 10 * time.Second // between two fetches that unknown key ids may cause
)

// The three parts of a JWT, and their encoding, in which each value has one way to be written.
var (
	compact   = regexp.MustCompile(`^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]*)$`)
	base64url = base64.RawURLEncoding.Strict()
)

var origin = regexp.MustCompile(`^(https?)://([a-z0-9_.-]+|\[::1\])(?::([1-9][0-9]{0,4}))?$`)

// Errors, to be told apart with errors.Is. The text says which check failed; it holds no
// token and no claim.
var (
	ErrUnavailable = errors.New("no keys yet, and the service cannot be reached") // answer 503
	ErrMissing     = errors.New("the request has no token")                       // these four: 401
	ErrInvalid     = errors.New("not a token of this service")
	ErrExpired     = errors.New("expired")
	ErrEnded       = errors.New("the session has ended")
)

// Person is whom a token names.
type Person struct {
	DID       string // the permanent id of the account: the key under which to store things
	Username  string
	Handle    string // display text; empty when there is none
	SID       string // the session: one person on one device
	ExpiresAt time.Time
}

// Verifier verifies the tokens of one service; goroutines may share it. Change its fields
// before the first use alone.
type Verifier struct {
	Issuer    string           // the service's PUBLIC_URL
	Audience  string           // its TOKEN_AUDIENCE; the issuer, when it sets none
	Algorithm string           // its TOKEN_ALGORITHM
	Cookie    string           // its COOKIE_NAME
	Client    *http.Client     // follows no redirect
	Now       func() time.Time // for tests

	keys  document[map[string]crypto.PublicKey]
	ended document[revocations]
}

// claims of a token, by their exact names: encoding/json fills a struct from any case.
type claims map[string]json.RawMessage

// revocations is what was read of the feed; a value is never changed.
type revocations struct {
	sessions map[string]int64
	keys     []string
	next     string
}

// New returns a verifier of what the service at issuer signs; nothing is fetched yet.
func New(issuer string) (*Verifier, error) {
	// The service writes its own as a URL parser does; another form would refuse every token.
	parts := origin.FindStringSubmatch(issuer)
	if parts == nil || (parts[1] == "https" && parts[3] == "443") {
		return nil, fmt.Errorf("write the issuer as https://HOST, without a path or slash: %q", issuer)
	}
	loopback := slices.Contains([]string{"127.0.0.1", "localhost", "[::1]"}, parts[2])
	if parts[1] != "https" && (!loopback || parts[3] == "80") {
		return nil, fmt.Errorf("the issuer must be https: %q", issuer)
	}
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	v := &Verifier{
		Issuer: issuer, Audience: issuer, Algorithm: "RS256", Cookie: "platform_token",
		Client: &http.Client{Timeout: 5 * time.Second, CheckRedirect: refuse}, Now: time.Now,
	}
	v.keys = document[map[string]crypto.PublicKey]{fresh: 5 * time.Minute, stale: time.Hour, load: v.loadKeys}
	v.ended = document[revocations]{fresh: 10 * time.Second, stale: 30 * time.Second, load: v.loadEnded}
	return v, nil
}

// Verify returns the person whom a token names.
func (v *Verifier) Verify(token string) (*Person, error) {
	kid, found, err := v.open(token, "JWT", maxToken)
	if err != nil {
		return nil, err
	}
	person, err := v.person(found)
	if err != nil {
		return nil, err
	}
	ended, _ := v.ended.get(v.Now)
	if len(ended.keys) > 0 && !slices.Contains(ended.keys, kid) {
		// It was dropped, or published after the feed was read.
		if _, err := v.requireKey(kid); err != nil {
			return nil, err
		}
	}
	if _, over := ended.sessions[person.SID]; over {
		return nil, fmt.Errorf("sid: %w", ErrEnded)
	}
	return person, nil
}

func (v *Verifier) person(found claims) (*Person, error) {
	if found.text("aud") != v.Audience {
		return nil, fmt.Errorf("aud: another audience: %w", ErrInvalid)
	}
	for _, name := range []string{"sub", "sid", "username"} {
		if found.text(name) == "" {
			return nil, fmt.Errorf("%s: missing: %w", name, ErrInvalid)
		}
	}
	var handle *string
	if raw, there := found["handle"]; there && json.Unmarshal(raw, &handle) != nil {
		return nil, fmt.Errorf("handle: not a text: %w", ErrInvalid)
	}
	expiry, _ := found.seconds("exp")
	person := &Person{
		DID: found.text("sub"), Username: found.text("username"), SID: found.text("sid"),
		ExpiresAt: time.Unix(expiry, 0),
	}
	if handle != nil {
		person.Handle = *handle
	}
	return person, nil
}

// Authenticate returns the person of a request. A Bearer token decides alone. Of several
// cookies of the name, which sibling hosts may set, the first that verifies counts.
func (v *Verifier) Authenticate(request *http.Request) (*Person, error) {
	scheme, bearer, _ := strings.Cut(strings.TrimSpace(request.Header.Get("Authorization")), " ")
	if strings.EqualFold(scheme, "bearer") {
		return v.Verify(strings.TrimSpace(bearer))
	}
	refusal := ErrMissing
	for at, cookie := range request.CookiesNamed(v.Cookie) {
		if at == maxCookies {
			break
		}
		person, err := v.Verify(cookie.Value)
		if err == nil {
			return person, nil
		}
		refusal = err
	}
	return nil, refusal
}

type personKey struct{}

// Middleware puts the person of each request into its context; 503 before the first keys.
func (v *Verifier) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		person, err := v.Authenticate(request)
		if errors.Is(err, ErrUnavailable) {
			writer.Header().Set("Retry-After", "10")
			http.Error(writer, "The sign-in service cannot be reached.", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(writer, request.WithContext(context.WithValue(request.Context(), personKey{}, person)))
	})
}

// PersonOf returns the person of a request behind the middleware; nil: not signed in.
func PersonOf(request *http.Request) *Person {
	person, _ := request.Context().Value(personKey{}).(*Person)
	return person
}

// LoginURL returns the address of the sign-in page, which leads back to returnTo.
func (v *Verifier) LoginURL(returnTo string) string {
	return v.Issuer + "/auth/login?" + url.Values{"return_to": {returnTo}}.Encode()
}

// open returns key id and claims of a JWT that the service signed for this use.
func (v *Verifier) open(text, typ string, longest int) (string, claims, error) {
	parts := compact.FindStringSubmatch(text)
	if len(text) > longest || parts == nil {
		return "", nil, fmt.Errorf("form: not a token: %w", ErrInvalid)
	}
	raw := make([][]byte, 3)
	for at, part := range parts[1:] {
		var err error
		if raw[at], err = base64url.DecodeString(part); err != nil {
			return "", nil, fmt.Errorf("form: not base64url: %w", ErrInvalid)
		}
	}
	kid, err := v.checkHeader(raw[0], typ)
	if err != nil {
		return "", nil, err
	}
	key, err := v.key(kid)
	if err != nil {
		return "", nil, err
	}
	method := jwt.GetSigningMethod(v.Algorithm)
	if method.Verify(parts[1]+"."+parts[2], raw[2], key) != nil {
		return "", nil, fmt.Errorf("signature: not of the service's key: %w", ErrInvalid)
	}
	found, err := object[claims](raw[1])
	if err != nil {
		return "", nil, fmt.Errorf("claims: %w", err)
	}
	return kid, found, v.checkClaims(found)
}

func (v *Verifier) checkClaims(found claims) error {
	if found.text("iss") != v.Issuer {
		return fmt.Errorf("iss: another issuer: %w", ErrInvalid)
	}
	iat, hasIat := found.seconds("iat")
	exp, hasExp := found.seconds("exp")
	nbf, hasNbf := iat, true
	if _, there := found["nbf"]; there {
		nbf, hasNbf = found.seconds("nbf")
	}
	if !hasIat || !hasExp || !hasNbf {
		return fmt.Errorf("times: iat, nbf or exp is no number of seconds: %w", ErrInvalid)
	}
	now := v.Now().Unix()
	if now >= exp+leeway {
		return fmt.Errorf("exp: %w", ErrExpired)
	}
	if max(iat, nbf) > now+leeway {
		return fmt.Errorf("nbf: issued in the future: %w", ErrInvalid)
	}
	return nil
}

// text returns a claim that is a text; "" for none.
func (c claims) text(name string) string {
	var text string
	if json.Unmarshal(c[name], &text) != nil {
		return ""
	}
	return text
}

// seconds returns a claim that is a whole number, not larger than every parser keeps exactly.
func (c claims) seconds(name string) (int64, bool) {
	number, err := strconv.ParseFloat(string(c[name]), 64)
	return int64(number), err == nil && number == math.Trunc(number) && math.Abs(number) <= maxSeconds
}

// object parses a JSON object in UTF-8.
func object[T ~map[string]V, V any](raw []byte) (T, error) {
	var found T
	if !utf8.Valid(raw) || json.Unmarshal(raw, &found) != nil || found == nil {
		return nil, fmt.Errorf("not a JSON object: %w", ErrInvalid)
	}
	return found, nil
}

// checkHeader returns the key id when the header is one that the service writes.
func (v *Verifier) checkHeader(raw []byte, typ string) (string, error) {
	header, err := object[map[string]any](raw)
	if err != nil {
		return "", fmt.Errorf("form: %w", err)
	}
	if header["alg"] != v.Algorithm {
		return "", fmt.Errorf("alg: another algorithm than the service's: %w", ErrInvalid)
	}
	if header["typ"] != typ {
		return "", fmt.Errorf("typ: signed for another purpose: %w", ErrInvalid)
	}
	// Each names a key of the sender's (RFC 8725 section 3.10), an unknown extension, or
	// another way to sign (RFC 7797).
	for _, name := range []string{"jku", "jwk", "x5u", "x5c", "crit", "b64"} {
		if _, there := header[name]; there {
			return "", fmt.Errorf("%s: a header that the service never writes: %w", name, ErrInvalid)
		}
	}
	kid, isText := header["kid"].(string)
	if !isText || kid == "" {
		return "", fmt.Errorf("kid: no key id: %w", ErrInvalid)
	}
	return kid, nil
}

func (v *Verifier) key(kid string) (crypto.PublicKey, error) {
	keys, there := v.keys.get(v.Now)
	if !there {
		return nil, ErrUnavailable
	}
	if key, known := keys[kid]; known {
		return key, nil
	}
	return v.requireKey(kid)
}

// requireKey returns a key of the JWKS as it is now, at most ten seconds old.
func (v *Verifier) requireKey(kid string) (crypto.PublicKey, error) {
	v.keys.refresh(v.Now, unknownKey)
	keys, _ := v.keys.get(v.Now)
	if key, known := keys[kid]; known {
		return key, nil
	}
	return nil, fmt.Errorf("kid: not one of the service's keys: %w", ErrInvalid)
}

// --- the documents of the service

// document is a value that load makes of an answer of the service; an outage keeps it.
type document[T any] struct {
	fresh, stale time.Duration // served as it is; then refreshed behind; then waited for
	load         func(before T) (T, error)

	loading       sync.Mutex
	state         sync.Mutex
	value         T
	loaded, tried time.Time
	failed        time.Time
}

// get returns the value; false when it never could be loaded.
func (d *document[T]) get(now func() time.Time) (T, bool) {
	d.state.Lock()
	age, due := now().Sub(d.loaded), now().Sub(d.tried) >= retry
	// In an outage callers do not wait, once an attempt has failed.
	waits := age >= d.stale && (d.loaded.IsZero() || now().Sub(d.failed) >= d.stale)
	d.state.Unlock()
	switch {
	case waits:
		d.refresh(now, retry)
	case age >= d.fresh && due && d.loading.TryLock():
		go func() {
			defer d.loading.Unlock()
			d.reload(now, retry)
		}()
	}
	d.state.Lock()
	defer d.state.Unlock()
	return d.value, !d.loaded.IsZero()
}

// refresh loads the value, unless that was tried less than every ago.
func (d *document[T]) refresh(now func() time.Time, every time.Duration) {
	d.loading.Lock()
	defer d.loading.Unlock()
	d.reload(now, every)
}

// reload does what refresh does; the caller holds loading.
func (d *document[T]) reload(now func() time.Time, every time.Duration) {
	d.state.Lock()
	before, due := d.value, now().Sub(d.tried) >= every
	d.state.Unlock()
	if !due {
		return
	}
	value, err := d.load(before)
	d.state.Lock()
	defer d.state.Unlock()
	d.tried = now() // the end counts: those that waited for a slow attempt make none
	if err != nil {
		log.Printf("keeping what was fetched before: %v", err)
		d.failed = now()
		return
	}
	d.value, d.loaded = value, now()
}

func (v *Verifier) fetch(path string) ([]byte, error) {
	response, err := v.Client.Get(v.Issuer + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers with status %d", path, response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err == nil && len(body) > maxDocument {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxDocument)
	}
	return body, err
}

func (v *Verifier) loadKeys(map[string]crypto.PublicKey) (map[string]crypto.PublicKey, error) {
	body, err := v.fetch("/.well-known/jwks.json")
	if err != nil {
		return nil, err
	}
	var listed struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(body, &listed); err != nil {
		return nil, fmt.Errorf("the JWKS cannot be read: %w", err)
	}
	keys := map[string]crypto.PublicKey{}
	for _, each := range listed.Keys[:min(len(listed.Keys), maxKeys)] {
		var read jwk // one that cannot be read is ignored (RFC 7517 section 5)
		if json.Unmarshal(each, &read) != nil {
			continue
		}
		if key := read.public(v.Algorithm); key != nil {
			keys[read.Kid] = key
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("the JWKS has no key for %s", v.Algorithm)
	}
	return keys, nil
}

func (v *Verifier) loadEnded(before revocations) (revocations, error) {
	read := revocations{sessions: map[string]int64{}, next: before.next}
	for sid, end := range before.sessions {
		if end > v.Now().Unix() { // no token of it can live after that
			read.sessions[sid] = end
		}
	}
	for range maxPages {
		query := ""
		if read.next != "" {
			query = "?" + url.Values{"since": {read.next}}.Encode()
		}
		body, err := v.fetch("/auth/revocations" + query)
		if err != nil {
			return before, err
		}
		_, found, err := v.open(string(body), "revocations+jwt", maxFeedToken)
		if err != nil {
			return before, fmt.Errorf("the feed of ended sessions: %w", err)
		}
		var page struct {
			sessions map[string]int64
			more     bool
		}
		if err := errors.Join(
			json.Unmarshal(found["sessions"], &page.sessions), json.Unmarshal(found["keys"], &read.keys),
			json.Unmarshal(found["next"], &read.next), json.Unmarshal(found["more"], &page.more),
		); err != nil {
			return before, errors.New("the feed of ended sessions is of another form")
		}
		maps.Copy(read.sessions, page.sessions)
		if !page.more {
			break
		}
	}
	return read, nil
}

// --- keys (RFC 7517)

type jwk struct{ Kty, Kid, Alg, Use, Crv, N, E, X, Y, D string }

// public returns the key when it signs with this algorithm, else nil.
func (k jwk) public(algorithm string) crypto.PublicKey {
	if k.Kid == "" || k.D != "" || (k.Alg != "" && k.Alg != algorithm) || (k.Use != "" && k.Use != "sig") {
		return nil
	}
	switch {
	case algorithm == "RS256" && k.Kty == "RSA":
		key := &rsa.PublicKey{N: new(big.Int).SetBytes(decode(k.N)), E: int(new(big.Int).SetBytes(decode(k.E)).Int64())}
		if key.N.BitLen() >= 2048 && key.E >= 3 {
			return key
		}
	case algorithm == "ES256" && k.Kty == "EC" && k.Crv == "P-256":
		x, y := decode(k.X), decode(k.Y)
		point := slices.Concat([]byte{4}, x, y)
		if _, err := ecdh.P256().NewPublicKey(point); err == nil { // it is on the curve
			return &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).SetBytes(x), Y: new(big.Int).SetBytes(y)}
		}
	case algorithm == "EdDSA" && k.Kty == "OKP" && k.Crv == "Ed25519":
		if x := decode(k.X); len(x) == ed25519.PublicKeySize {
			return ed25519.PublicKey(x)
		}
	}
	return nil
}

func decode(text string) []byte {
	raw, _ := base64.RawURLEncoding.DecodeString(text)
	return raw
}
