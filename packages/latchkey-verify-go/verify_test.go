package verify

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const issuer = "https://auth.example.org"

var key, _ = rsa.GenerateKey(rand.Reader, 2048)

// service answers as the sign-in service does; it is the HTTP transport of a verifier.
type service struct {
	now   time.Time
	ended map[string]int64
	down  bool
	gate  chan struct{} // answers wait for it; nil: they come at once
	asked chan struct{}
}

func (s *service) RoundTrip(request *http.Request) (*http.Response, error) {
	if s.gate != nil {
		s.asked <- struct{}{}
		<-s.gate
	}
	if s.down {
		return nil, errors.New("connection refused")
	}
	body := s.jwks()
	if request.URL.Path == "/auth/revocations" {
		body = s.sign("revocations+jwt", jwt.MapClaims{
			"sessions": s.ended, "keys": []string{"first"}, "next": "1", "more": false,
		})
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func (s *service) jwks() string {
	encode := base64.RawURLEncoding.EncodeToString
	raw, _ := json.Marshal(map[string]any{"keys": []map[string]string{{
		"kty": "RSA", "kid": "first", "alg": "RS256", "use": "sig",
		"n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes()),
	}}})
	return string(raw)
}

func (s *service) sign(typ string, changes jwt.MapClaims) string {
	claims := jwt.MapClaims{
		"iss": issuer, "aud": issuer, "sub": "did:plc:alice", "username": "alice", "sid": "session-1",
		"iat": s.now.Unix(), "nbf": s.now.Unix(), "exp": s.now.Add(time.Hour).Unix(),
	}
	for name, value := range changes {
		claims[name] = value
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"], token.Header["typ"] = "first", typ
	text, _ := token.SignedString(crypto.PrivateKey(key))
	return text
}

func started(t *testing.T) (*service, *Verifier) {
	t.Helper()
	s := &service{now: time.Unix(1_800_000_000, 0), ended: map[string]int64{}}
	v, err := New(issuer)
	if err != nil {
		t.Fatal(err)
	}
	v.Client.Transport, v.Now = s, func() time.Time { return s.now }
	return s, v
}

func TestVerifyWithClocksApart(t *testing.T) {
	s, v := started(t)
	token := s.sign("JWT", nil)
	for _, each := range []struct {
		moved time.Duration
		want  error
	}{
		{-29 * time.Second, nil}, {-31 * time.Second, ErrInvalid},
		{time.Hour + 29*time.Second, nil}, {time.Hour + 31*time.Second, ErrExpired},
	} {
		start := s.now
		s.now = start.Add(each.moved)
		if _, err := v.Verify(token); !errors.Is(err, each.want) {
			t.Errorf("%v apart: %v", each.moved, err)
		}
		s.now = start
	}
}

func TestVerifyInAnOutageKeepsKeysAndEndedSessions(t *testing.T) {
	s, v := started(t)
	s.ended["session-2"] = s.now.Add(48 * time.Hour).Unix()
	good, ended := s.sign("JWT", nil), s.sign("JWT", jwt.MapClaims{"sid": "session-2"})
	if _, err := v.Verify(good); err != nil {
		t.Fatal(err)
	}
	s.down = true
	s.now = s.now.Add(50 * time.Minute)
	if _, err := v.Verify(good); err != nil {
		t.Error(err)
	}
	if _, err := v.Verify(ended); !errors.Is(err, ErrEnded) {
		t.Error(err)
	}
}

func TestFirstVerifyInAnOutageIsUnavailable(t *testing.T) {
	s, v := started(t)
	s.down = true
	request := httptest.NewRequest("GET", "/", nil)
	request.Header.Set("Authorization", "Bearer "+s.sign("JWT", nil))
	recorder := httptest.NewRecorder()
	v.Middleware(http.NotFoundHandler()).ServeHTTP(recorder, request)
	if recorder.Code != http.StatusServiceUnavailable {
		t.Error(recorder.Code)
	}
}

func TestVerifyWaitsForTheFetchOfAnother(t *testing.T) {
	s, v := started(t)
	token := s.sign("JWT", nil)
	s.gate, s.asked = make(chan struct{}), make(chan struct{}, 9)
	outcomes := make(chan error, 2)
	verify := func() { _, err := v.Verify(token); outcomes <- err }
	go verify()
	<-s.asked
	go verify()
	select {
	case err := <-outcomes:
		t.Fatal(err)
	case <-time.After(50 * time.Millisecond):
	}
	close(s.gate)
	for range 2 {
		if err := <-outcomes; err != nil {
			t.Error(err)
		}
	}
}

func TestVerifyDoesNotWaitInAnOutageThatIsKnown(t *testing.T) {
	s, v := started(t)
	token := s.sign("JWT", nil)
	for _, passed := range []time.Duration{time.Minute, 10 * time.Second} {
		if _, err := v.Verify(token); err != nil { // the second waits for the feed, and fails
			t.Fatal(err)
		}
		s.down = true
		s.now = s.now.Add(passed)
	}
	s.gate, s.asked = make(chan struct{}), make(chan struct{}, 9) // no answer comes
	if _, err := v.Verify(token); err != nil {
		t.Error(err)
	}
	<-s.asked
}

// slow is a document that is loaded once; later attempts fail after eleven seconds.
type slow struct {
	document[string]
	seconds, tries atomic.Int64
	begun, gate    chan struct{}
}

func loadedOnce(stale time.Duration) *slow {
	s := &slow{begun: make(chan struct{}, 99), gate: make(chan struct{})}
	s.fresh, s.stale = 10*time.Second, stale
	s.load = func(before string) (string, error) {
		if before == "" {
			return "first", nil
		}
		s.tries.Add(1)
		s.begun <- struct{}{}
		<-s.gate
		s.seconds.Add(11)
		return before, errors.New("no answer in time")
	}
	s.get(s.now)
	return s
}

func (s *slow) now() time.Time { return time.Unix(1_800_000_000+s.seconds.Load(), 0) }

func TestAttemptThatTakesLongIsTheOnlyOne(t *testing.T) {
	s := loadedOnce(time.Hour)
	s.seconds.Add(10)
	s.get(s.now) // starts the attempt
	<-s.begun
	s.seconds.Add(10)
	before := runtime.NumGoroutine()
	for range 20 {
		s.get(s.now)
	}
	if started := runtime.NumGoroutine() - before; started > 0 {
		t.Errorf("%d attempts wait for the first one", started)
	}
	close(s.gate)
}

func TestCallersThatWaitedForALongAttemptMakeNone(t *testing.T) {
	s := loadedOnce(30 * time.Second)
	s.seconds.Add(60)
	var callers sync.WaitGroup
	for range 5 {
		callers.Add(1)
		go func() {
			defer callers.Done()
			s.get(s.now)
		}()
	}
	<-s.begun
	close(s.gate)
	callers.Wait()
	if tries := s.tries.Load(); tries != 1 {
		t.Errorf("%d attempts", tries)
	}
}

func TestSessionThatEndsIsRefusedAfterThirtyQuietSeconds(t *testing.T) {
	s, v := started(t)
	token := s.sign("JWT", nil)
	if _, err := v.Verify(token); err != nil {
		t.Fatal(err)
	}
	s.ended["session-1"] = s.now.Add(time.Hour).Unix()
	s.now = s.now.Add(30 * time.Second)
	if _, err := v.Verify(token); !errors.Is(err, ErrEnded) {
		t.Error(err)
	}
}

func TestAuthenticateTakesTheFirstGoodCookieAndBearerAlone(t *testing.T) {
	s, v := started(t)
	token := s.sign("JWT", nil)
	request := httptest.NewRequest("GET", "/", nil)
	request.Header.Set("Cookie", "platform_token=garbage; a=b; platform_token="+token)
	if person, err := v.Authenticate(request); err != nil || person.Username != "alice" {
		t.Error(err)
	}
	request.Header.Set("Authorization", "Bearer x")
	if _, err := v.Authenticate(request); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	many := strings.Repeat("platform_token=x; ", maxCookies) + "platform_token=" + token
	request.Header.Del("Authorization")
	request.Header.Set("Cookie", many)
	if _, err := v.Authenticate(request); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	request.Header.Del("Cookie")
	if _, err := v.Authenticate(request); !errors.Is(err, ErrMissing) {
		t.Error(err)
	}
}

func TestNewWithAnIssuerThatIsNoHTTPSOriginFails(t *testing.T) {
	others := []string{"https://AUTH.example.org", issuer + ":443", issuer + " ", "https://", "http://localhost:80"}
	for _, each := range append(others, "http://auth.example.org", issuer+"/", "auth.example.org", "") {
		if _, err := New(each); err == nil {
			t.Error(each)
		}
	}
}
