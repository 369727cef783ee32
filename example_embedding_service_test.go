package aof_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

// The table of statuses in docs/calls.md is what the example answers, for every sentinel of the package, bare and
// wrapped.
func TestThePageHasTheReplyToEveryError(t *testing.T) {
	known := map[string]error{
		"ErrWouldBlock": aof.ErrWouldBlock, "ErrClosed": aof.ErrClosed, "ErrNotFound": aof.ErrNotFound, "ErrExists": aof.ErrExists,
		"ErrInvalid": aof.ErrInvalid, "ErrTrimmed": aof.ErrTrimmed, "ErrTooLarge": aof.ErrTooLarge, "ErrMismatch": aof.ErrMismatch,
		"ErrDiverged": aof.ErrDiverged, "ErrFull": aof.ErrFull, "ErrLocked": aof.ErrLocked, "ErrCorrupt": aof.ErrCorrupt,
		"ErrReadOnly": aof.ErrReadOnly, "ErrStale": aof.ErrStale, "ErrVersion": aof.ErrVersion,
		"UnsettledError":           &aof.UnsettledError{First: 1, Last: 1, Err: aof.ErrClosed},
		"context.DeadlineExceeded": context.DeadlineExceeded, "context.Canceled": context.Canceled,
		"any other": errors.New("something else"),
	}
	sentinels, _ := exportedErrors(t)
	for _, name := range sentinels {
		if known[name] == nil {
			t.Errorf("this test does not know %s", name)
		}
	}
	page, err := os.ReadFile("docs/calls.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `?([\\w. ]+?)`? \\| (\\d{3}) \\| `([A-Z_]+)` \\| (yes|no) \\|").FindAllStringSubmatch(string(page), -1) {
		name, text := m[1], fmt.Sprint(m[2], " ", m[3], " ", m[4] == "yes")
		listed[name] = true
		if known[name] == nil {
			t.Errorf("the page lists %s, which is no error", name)
			continue
		}
		for _, err := range []error{known[name], fmt.Errorf("wrapped: %w", known[name])} {
			if got := replyTo(err); fmt.Sprint(got.HTTP, " ", got.GRPC, " ", got.Again) != text {
				t.Errorf("the page answers %s with %s, the example with %+v", name, text, got)
			}
		}
	}
	for name := range known {
		if !listed[name] {
			t.Errorf("docs/calls.md does not say what to answer to %s", name)
		}
	}
}

// A service over a disk that stands still refuses what it has no room for, and says that it may be sent again; what it
// has accepted it never calls refused; and a reader at the tail is told that there is nothing.
func TestAServiceOverADiskThatStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := aoftest.Small()
		o.MaxUnflushed = 2000
		d, _, st := active(t, o)
		fill(t, st, 1, 0)
		request := func(ctx context.Context, h http.HandlerFunc, method, target, body string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			h(w, httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(body)))
			return w
		}
		w := request(ctx, get(st), "GET", "/", "")
		at := w.Header().Get("Aof-Cursor")
		if w.Code != http.StatusOK || w.Body.String() != text(1) || at == "" {
			t.Fatalf("%d %s, cursor %q", w.Code, w.Body, at)
		}
		if w = request(ctx, get(st), "GET", "/?cursor="+at, ""); w.Code != http.StatusNoContent || w.Header().Get("Retry-After") != "" {
			t.Errorf("at the tail: %d, retry after %q", w.Code, w.Header().Get("Retry-After"))
		}
		if w = request(ctx, get(st), "GET", "/?cursor=x"+at, ""); w.Code != http.StatusBadRequest {
			t.Errorf("a cursor that is none: %d", w.Code)
		}
		hold := d.HoldSyncs()
		big := strings.Repeat("x", 1500)
		leaving, leave := context.WithCancel(ctx)
		accepted := make(chan *httptest.ResponseRecorder)
		go func() { accepted <- request(leaving, post(st, 5000), "POST", "/", big) }()
		synctest.Wait()
		if w = request(ctx, post(st, 5000), "POST", "/", big); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("without room: %d %s, retry after %q", w.Code, w.Body, w.Header().Get("Retry-After"))
		}
		leave()
		if w = <-accepted; w.Code != http.StatusInternalServerError || w.Header().Get("Retry-After") != "" {
			t.Errorf("accepted, and the client has left: %d %s, retry after %q", w.Code, w.Body, w.Header().Get("Retry-After"))
		}
		hold.Release()
		if b := st.Bounds(); b.Next != 3 {
			t.Errorf("bounds %+v: one record was accepted, one refused", b)
		}
		if w = request(ctx, post(st, 5000), "POST", "/", big); w.Code != http.StatusCreated || strings.TrimSpace(w.Body.String()) != "3" {
			t.Errorf("with room again: %d %s", w.Code, w.Body)
		}
	})
}
