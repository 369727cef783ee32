package peer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// jetStream is the file store of NATS JetStream. Nothing exported opens the store alone, so a server runs
// in this process, without a network, and a client speaks to it over a pipe in memory: what is measured
// is the store with its protocol. It syncs each message; a client that sends many before it waits is the
// nearest it has to a batch.
var jetStream = Kind{Name: "JetStream", Accepts: true, Verifies: true, open: openJetStream}

const (
	jetStreamSubject = "records"
	jetStreamPending = 4096 // messages sent and not yet acknowledged
	jetStreamWait    = 10 * time.Second
)

type jetStreamLog struct {
	server   *server.Server
	conn     *nats.Conn
	js       jetstream.JetStream
	stream   jetstream.Stream
	accepted bool
}

func openJetStream(dir string, o Options) (_ Log, err error) {
	s, err := server.NewServer(&server.Options{
		JetStream: true, StoreDir: dir, DontListen: true, NoSigs: true, NoLog: true, SyncAlways: !o.Accepted,
		JetStreamMaxMemory: 1 << 30, JetStreamMaxStore: 1 << 40, MaxPayload: 1 << 20,
	})
	if err != nil {
		return nil, err
	}
	l := &jetStreamLog{server: s, accepted: o.Accepted}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	s.Start()
	if !s.ReadyForConnections(jetStreamWait) {
		return nil, errors.New("the server does not start")
	}
	if l.conn, err = nats.Connect("", nats.InProcessServer(s)); err != nil {
		return nil, err
	}
	if l.js, err = jetstream.New(l.conn, jetstream.WithPublishAsyncMaxPending(jetStreamPending)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), jetStreamWait)
	defer cancel()
	l.stream, err = l.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: jetStreamSubject, Subjects: []string{jetStreamSubject}, Storage: jetstream.FileStorage, Replicas: 1,
	})
	return l, err
}

func (l *jetStreamLog) Append(recs [][]byte) error {
	acks := make([]jetstream.PubAckFuture, 0, len(recs))
	for _, rec := range recs {
		ack, err := l.js.PublishAsync(jetStreamSubject, rec, jetstream.WithStallWait(jetStreamWait))
		if err != nil {
			return err
		}
		acks = append(acks, ack)
	}
	if l.accepted {
		return nil
	}
	for _, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			return err
		}
	}
	return nil
}

// Sync waits until the server has acknowledged everything; a server that does not sync each message says
// nothing of the disk.
func (l *jetStreamLog) Sync() error {
	select {
	case <-l.js.PublishAsyncComplete():
		return nil
	case <-time.After(jetStreamWait):
		return fmt.Errorf("%d messages are not acknowledged", l.js.PublishAsyncPending())
	}
}

func (l *jetStreamLog) state() (jetstream.StreamState, error) {
	ctx, cancel := context.WithTimeout(context.Background(), jetStreamWait)
	defer cancel()
	info, err := l.stream.Info(ctx)
	if err != nil {
		return jetstream.StreamState{}, err
	}
	return info.State, nil
}

func (l *jetStreamLog) Last() (uint64, error) {
	state, err := l.state()
	return state.LastSeq, err
}

func (l *jetStreamLog) Get(seq uint64, use func([]byte) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), jetStreamWait)
	defer cancel()
	msg, err := l.stream.GetMsg(ctx, seq)
	if err != nil {
		return err
	}
	return use(msg.Data)
}

func (l *jetStreamLog) Scan(use func([]byte) error) error {
	return scanByGet(l, func() (uint64, error) {
		state, err := l.state()
		return state.FirstSeq, err
	}, use)
}

func (l *jetStreamLog) TrimBefore(seq uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), jetStreamWait)
	defer cancel()
	return l.stream.Purge(ctx, jetstream.WithPurgeSequence(seq))
}

// Syncs are the server's own business.
func (l *jetStreamLog) Syncs() int64 { return -1 }

func (l *jetStreamLog) Close() error {
	if l.conn != nil {
		l.conn.Close()
	}
	l.server.Shutdown()
	l.server.WaitForShutdown()
	return nil
}
