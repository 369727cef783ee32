package aof_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/aof2/aof"
)

const (
	roomWait = 2 * time.Second  // how long a request waits for room
	tailWait = 20 * time.Second // how long a request waits for a next record
)

var (
	errBusy    = errors.New("no room for the records yet; nothing was appended")
	errNothing = errors.New("no further record yet")
)

// reply is what a service answers: the status of HTTP, the code of gRPC, and whether the same request may be sent again
// in a while.
type reply struct {
	HTTP  int
	GRPC  string
	Again bool
}

// replies are by error, the first that matches. UnsettledError is not among them: it unwraps to what ended the wait and
// has to be looked for before.
var replies = []struct {
	err error
	reply
}{
	{errNothing, reply{http.StatusNoContent, "OK", true}},
	{errBusy, reply{http.StatusServiceUnavailable, "UNAVAILABLE", true}},
	{aof.ErrWouldBlock, reply{http.StatusServiceUnavailable, "UNAVAILABLE", true}},
	{aof.ErrClosed, reply{http.StatusServiceUnavailable, "UNAVAILABLE", true}},
	{aof.ErrLocked, reply{http.StatusServiceUnavailable, "UNAVAILABLE", true}},
	{aof.ErrStale, reply{http.StatusServiceUnavailable, "UNAVAILABLE", true}},
	{aof.ErrFull, reply{http.StatusInsufficientStorage, "RESOURCE_EXHAUSTED", true}},
	{aof.ErrReadOnly, reply{http.StatusServiceUnavailable, "FAILED_PRECONDITION", false}},
	{aof.ErrMismatch, reply{http.StatusPreconditionFailed, "ABORTED", false}},
	{aof.ErrDiverged, reply{http.StatusConflict, "FAILED_PRECONDITION", false}},
	{aof.ErrNotFound, reply{http.StatusNotFound, "NOT_FOUND", false}},
	{aof.ErrExists, reply{http.StatusConflict, "ALREADY_EXISTS", false}},
	{aof.ErrInvalid, reply{http.StatusBadRequest, "INVALID_ARGUMENT", false}},
	{aof.ErrTooLarge, reply{http.StatusRequestEntityTooLarge, "INVALID_ARGUMENT", false}},
	{aof.ErrTrimmed, reply{http.StatusGone, "OUT_OF_RANGE", false}},
	{aof.ErrCorrupt, reply{http.StatusInternalServerError, "DATA_LOSS", false}},
	{aof.ErrVersion, reply{http.StatusInternalServerError, "FAILED_PRECONDITION", false}},
	{context.DeadlineExceeded, reply{http.StatusServiceUnavailable, "DEADLINE_EXCEEDED", true}},
	{context.Canceled, reply{http.StatusServiceUnavailable, "CANCELLED", true}},
}

// replyTo says what a service answers to an error of this package.
func replyTo(err error) reply {
	var unsettled *aof.UnsettledError
	if errors.As(err, &unsettled) { // accepted: the same request again would append it twice
		return reply{http.StatusInternalServerError, "UNKNOWN", false}
	}
	for _, r := range replies {
		if errors.Is(err, r.err) {
			return r.reply
		}
	}
	return reply{http.StatusInternalServerError, "INTERNAL", false}
}

func refuse(w http.ResponseWriter, err error) {
	r := replyTo(err)
	if r.Again && r.HTTP != http.StatusNoContent {
		w.Header().Set("Retry-After", "1")
	}
	if r.HTTP == http.StatusNoContent {
		w.WriteHeader(r.HTTP)
		return
	}
	http.Error(w, err.Error(), r.HTTP)
}

// post appends the body as one record. It waits a little for room, and then, for as long as the client does, until the
// record is durable.
func post(st *aof.Stream, maxRecord int64) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxRecord))
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			err = fmt.Errorf("%w: a record has at most %d bytes", aof.ErrTooLarge, large.Limit)
		}
		if err != nil {
			refuse(w, err)
			return
		}
		room, done := context.WithTimeoutCause(req.Context(), roomWait, errBusy)
		defer done()
		seq, err := st.AppendBatch(room, &aof.Batch{Records: []aof.Entry{{Data: body}}, Ack: aof.AckAccepted})
		if err == nil {
			if err = st.WaitDurable(req.Context(), seq); err != nil {
				err = &aof.UnsettledError{First: seq, Last: seq, Err: err}
			}
		}
		if err != nil {
			refuse(w, err)
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintln(w, seq)
	}
}

// get returns the record behind a cursor, and the cursor behind that record in a header. It waits for a next record, but
// not for ever: proxies do not.
func get(st *aof.Stream) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		var o aof.ReaderOptions
		if text := req.FormValue("cursor"); text != "" {
			var err error
			if o.FromCursor, err = aof.ParseCursor(text); err != nil {
				refuse(w, err)
				return
			}
		}
		r, err := st.Reader(o)
		if err != nil {
			refuse(w, err)
			return
		}
		defer r.Close()
		ctx, done := context.WithTimeoutCause(req.Context(), tailWait, errNothing)
		defer done()
		rec, err := r.Next(ctx)
		if err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("Aof-Cursor", r.Cursor().String())
		_, _ = w.Write(rec.Data) // a client that left gets the same record again
	}
}

// A service over HTTP: each error has its status, waiting is bounded, and what was accepted is never asked for again.
func Example_service() {
	dir, err := os.MkdirTemp("", "aof-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()
	store, err := aof.Open(ctx, dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	orders, err := store.CreateStream(ctx, "orders", nil)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /orders", post(orders, 1000))
	mux.Handle("GET /orders", get(orders))
	call := func(method, path, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		fmt.Print(w.Code)
		if w.Code < 300 {
			fmt.Print(" ", strings.TrimSpace(w.Body.String()))
		}
		fmt.Println()
		return w
	}
	call("POST", "/orders", "first")
	call("POST", "/orders", "second")
	w := call("GET", "/orders", "")
	call("GET", "/orders?cursor="+w.Header().Get("Aof-Cursor"), "")
	call("POST", "/orders", strings.Repeat("x", 1001))
	if err := store.Close(); err != nil {
		log.Fatal(err)
	}
	call("POST", "/orders", "third")
	// Output:
	// 201 1
	// 201 2
	// 200 first
	// 200 second
	// 413
	// 503
}
