// A relying party on go-oidc: the one door of a small service in Go.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const cookie = "go_session"

type visit struct {
	state, nonce, verifier string
	token                  *oauth2.Token
}

type app struct {
	provider *oidc.Provider
	config   oauth2.Config
	lock     sync.Mutex
	visits   map[string]*visit
}

func main() {
	provider, err := oidc.NewProvider(context.Background(), os.Getenv("ISSUER"))
	if err != nil {
		log.Fatal(err)
	}
	app := &app{visits: map[string]*visit{}, provider: provider, config: oauth2.Config{
		ClientID:     os.Getenv("CLIENT_ID"),
		ClientSecret: os.Getenv("CLIENT_SECRET"),
		RedirectURL:  os.Getenv("REDIRECT_URI"),
		Scopes:       strings.Fields(os.Getenv("SCOPE")),
		Endpoint:     provider.Endpoint(),
	}}
	http.HandleFunc("/", app.home)
	http.HandleFunc("/callback", app.callback)
	http.HandleFunc("/refresh", app.refresh)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}

func (app *app) home(w http.ResponseWriter, r *http.Request) {
	if visit := app.visitOf(r); visit != nil && visit.token != nil {
		app.show(w, r, visit.token, "")
		return
	}
	id := rand.Text()
	visit := &visit{state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	app.lock.Lock()
	app.visits[id] = visit
	app.lock.Unlock()
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: id, Path: "/", HttpOnly: true})
	http.Redirect(w, r, app.config.AuthCodeURL(visit.state, oidc.Nonce(visit.nonce),
		oauth2.S256ChallengeOption(visit.verifier)), http.StatusFound)
}

func (app *app) callback(w http.ResponseWriter, r *http.Request) {
	visit, asked := app.visitOf(r), r.URL.Query()
	if visit == nil || asked.Get("state") != visit.state {
		refuse(w, "state")
		return
	}
	if asked.Get("error") != "" {
		refuse(w, asked.Get("error"))
		return
	}
	token, err := app.config.Exchange(r.Context(), asked.Get("code"),
		oauth2.VerifierOption(visit.verifier))
	if err != nil {
		refuse(w, errorCode(err))
		return
	}
	visit.token = token
	app.show(w, r, token, visit.nonce)
}

func (app *app) refresh(w http.ResponseWriter, r *http.Request) {
	visit := app.visitOf(r)
	if visit == nil || visit.token == nil {
		refuse(w, "signed_out")
		return
	}
	old := &oauth2.Token{RefreshToken: visit.token.RefreshToken}
	visit.token = nil // who may not refresh is signed out
	token, err := app.config.TokenSource(r.Context(), old).Token()
	if err != nil {
		refuse(w, errorCode(err))
		return
	}
	visit.token = token
	app.show(w, r, token, "")
}

// show writes the claims of a verified id_token, and those of userinfo.
func (app *app) show(w http.ResponseWriter, r *http.Request, token *oauth2.Token, nonce string) {
	raw, _ := token.Extra("id_token").(string)
	verifier := app.provider.Verifier(&oidc.Config{ClientID: app.config.ClientID})
	idToken, err := verifier.Verify(r.Context(), raw)
	if err != nil {
		refuse(w, err.Error())
		return
	}
	if nonce != "" && idToken.Nonce != nonce {
		refuse(w, "nonce")
		return
	}
	if err := idToken.VerifyAccessToken(token.AccessToken); err != nil {
		refuse(w, err.Error())
		return
	}
	source := oauth2.StaticTokenSource(token)
	userinfo, err := app.provider.UserInfo(r.Context(), source)
	if err != nil {
		refuse(w, err.Error())
		return
	}
	var claims, told map[string]any
	if errors.Join(idToken.Claims(&claims), userinfo.Claims(&told)) != nil {
		refuse(w, "claims")
		return
	}
	answer(w, http.StatusOK, map[string]any{"claims": claims, "userinfo": told})
}

func (app *app) visitOf(r *http.Request) *visit {
	found, err := r.Cookie(cookie)
	if err != nil {
		return nil
	}
	app.lock.Lock()
	defer app.lock.Unlock()
	return app.visits[found.Value]
}

func errorCode(err error) string {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.ErrorCode != "" {
		return refused.ErrorCode
	}
	return err.Error()
}

func refuse(w http.ResponseWriter, why string) {
	answer(w, http.StatusUnauthorized, map[string]any{"error": why})
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
