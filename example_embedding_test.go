package aof_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

// crashed lets clients work until enough of their calls have been answered, holds the disk in the middle of a sync, and
// returns what a loss of power then leaves. work is called for client and step until the store has crashed; before
// returns when what was answered up to then may be looked at.
func crashed(t *testing.T, d *aoftest.Disk, clients int, work func(client, step int), before func()) *aoftest.Disk {
	t.Helper()
	answered, stop := make(chan struct{}), make(chan struct{})
	var wait sync.WaitGroup
	for c := range clients {
		wait.Go(func() {
			for step := 0; ; step++ {
				work(c, step)
				select {
				case answered <- struct{}{}:
				case <-stop:
					return
				}
			}
		})
	}
	for range 20 * clients {
		<-answered
	}
	hold := d.HoldSyncs()
	held := false
	for n := 0; !held && n < 1000; n++ { // who waits to tell of an answer cannot append
		select {
		case <-answered:
		case <-hold.Reached():
			held = true
		}
	}
	if !held {
		t.Error("the clients append nothing any more")
	}
	before()
	after := d.Crash(uint64(clients))
	close(stop)
	hold.Release()
	wait.Wait()
	return after
}

// Every acknowledged command is there once after a crash, and giving all commands again changes only what had not been
// carried out. No account was ever overdrawn, by whichever of many clients.
func TestTheEventStoreSurvivesACrash(t *testing.T) {
	const clients = 6
	var mu sync.Mutex
	done, sure := map[string]bool{}, map[string]bool{}
	most := [clients]int{}
	command := func(b bank, client, step int) error {
		amount := 10
		if step%2 == 1 {
			amount = -15
		}
		err := b.do(ctx, fmt.Sprint(step%3), fmt.Sprintf("%d-%d", client, step), amount, time.Time{})
		if errors.Is(err, errNotEnough) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		done[fmt.Sprintf("%d-%d", client, step)] = err == nil
		most[client] = max(most[client], step)
		return err
	}
	d := aoftest.NewDisk(t)
	b := bank{d.Open(aoftest.Small())}
	after := crashed(t, d, clients, func(client, step int) {
		expect(t, "command", command(b, client, step), nil)
	}, func() {
		mu.Lock()
		defer mu.Unlock()
		for c := range done {
			sure[c] = true
		}
	})
	again := bank{after.Open(aoftest.Small())}
	history(t, again, sure)
	clear(done) // what was done on the disk that is gone may now be refused
	for client := range clients {
		for step := range most[client] + 1 {
			expect(t, "the command again", command(again, client, step), nil)
		}
	}
	history(t, again, done)
}

// history fails unless every command is there once, those that must be among them, and no prefix is overdrawn.
func history(t *testing.T, b bank, must map[string]bool) {
	t.Helper()
	seen := map[string]bool{}
	for name, info := range b.store.Streams() {
		r, err := stream(t, b.store, name).Reader(aof.ReaderOptions{To: info.Bounds.Durable})
		if err != nil {
			t.Fatal(err)
		}
		balance := 0
		for rec, err := range r.All(ctx) {
			var p payment
			if err = errors.Join(err, json.Unmarshal(rec.Data, &p)); err != nil {
				t.Fatal(err)
			}
			if seen[p.Command] {
				t.Errorf("command %s was carried out twice", p.Command)
			}
			seen[p.Command] = true
			if balance += p.Amount; balance < 0 {
				t.Errorf("%s is overdrawn at event %d", name, rec.Seq)
			}
		}
		expect(t, "close", r.Close(), nil)
	}
	for c := range must {
		if !seen[c] {
			t.Errorf("command %s was acknowledged and is not there", c)
		}
	}
	if len(must) == 0 {
		t.Error("nothing was acknowledged; the test shows nothing")
	}
}

// Behind a crash the chain is whole, every receipt that was given out before fits, and the log goes on.
func TestTheAuditLogSurvivesACrash(t *testing.T) {
	var mu sync.Mutex
	var given, sure []receipt
	d := aoftest.NewDisk(t)
	audit := openedAudit(t, d)
	after := crashed(t, d, 4, func(client, step int) {
		rc, err := audit.add(ctx, fmt.Sprint("client ", client), fmt.Sprint("step ", step))
		expect(t, "add", err, nil)
		mu.Lock()
		defer mu.Unlock()
		given = append(given, rc)
	}, func() {
		mu.Lock()
		defer mu.Unlock()
		sure = append(sure, given...)
	})
	audit = openedAudit(t, after)
	expect(t, "the chain after the crash", chainOf(t, audit, sure...), nil)
	rc, err := audit.add(ctx, "somebody", "goes on")
	expect(t, "add", err, nil)
	expect(t, "the chain that goes on", chainOf(t, audit, append(sure, rc)...), nil)
}

// What was done to an audit log is noticed: by the chain, by the receipts, by the checksums.
func TestAnAuditLogThatWasChanged(t *testing.T) {
	d := aoftest.NewDisk(t)
	audit := openedAudit(t, d)
	var receipts []receipt
	for _, who := range []string{"ann", "mallory", "bob"} {
		rc, err := audit.add(ctx, who, "did something")
		expect(t, "add", err, nil)
		receipts = append(receipts, rc)
	}
	expect(t, "as it was written", chainOf(t, audit, receipts...), nil)
	second := &auditLog{entries: audit.entries} // a writer that does not know the end
	_, err := second.add(ctx, "eve", "did something")
	expect(t, "a second writer", err, aof.ErrMismatch)

	raw := create(t, aoftest.Memory(t, nil), "audit")
	_, err = raw.Append(ctx, []byte(`{"Who":"ann","What":"did nothing"}`), []byte(`{"Who":"bob","What":"did nothing"}`))
	expect(t, "append", err, nil)
	expect(t, "entries that are not chained", chainOf(t, &auditLog{entries: raw}), errTampered)

	forged := openedAudit(t, aoftest.NewDisk(t))
	for range 3 {
		_, err := forged.add(ctx, "ann", "did something else")
		expect(t, "add", err, nil)
	}
	expect(t, "another whole chain", chainOf(t, forged), nil)
	expect(t, "another whole chain, with receipts", chainOf(t, forged, receipts[2]), errTampered)

	short := d.Kill(1)
	for name, b := range short.Contents() {
		if at := strings.Index(b, "mallory"); at >= 0 {
			short.ExpectDamage()
			short.FlipBit(name, int64(at)*8)
		}
	}
	expect(t, "a flipped bit", chainOf(t, openedAudit(t, short)), aof.ErrCorrupt)
	expect(t, "trimmed", audit.entries.TrimBefore(ctx, 3), nil)
	expect(t, "what is left of a trimmed chain", chainOf(t, audit, receipts[2]), nil)
	expect(t, "a receipt of a trimmed entry", chainOf(t, audit, receipts[0]), errTampered)
}

func openedAudit(t *testing.T, d *aoftest.Disk) *auditLog {
	t.Helper()
	l, err := openAudit(ctx, d.Open(aoftest.Small()))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func chainOf(t *testing.T, l *auditLog, receipts ...receipt) error {
	t.Helper()
	newest := l.entries.Bounds().Durable
	if newest == 0 {
		t.Fatal("the log is empty")
	}
	r, err := l.entries.Reader(aof.ReaderOptions{To: newest})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	return checkChain(ctx, r, receipts...)
}
