package aoftest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aof2/aof"
	"github.com/aof2/aof/aoftest"
)

// t stands for the *testing.T of a test, which an example does not have.
var t = &exampleTB{}

type exampleTB struct {
	testing.TB
	cleanups []func()
}

func (e *exampleTB) Helper()                      {}
func (e *exampleTB) Cleanup(f func())             { e.cleanups = append(e.cleanups, f) }
func (e *exampleTB) Errorf(f string, args ...any) { fmt.Printf(f+"\n", args...) }
func (e *exampleTB) Fatalf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }

// end is what the testing package does when a test has ended.
func (e *exampleTB) end() {
	for i := len(e.cleanups) - 1; i >= 0; i-- {
		e.cleanups[i]()
	}
	e.cleanups = nil
}

// A store in memory: verified, closed and checked for leaks when the test ends.
func ExampleMemory() {
	defer t.end() // a test needs no such line
	ctx := context.Background()

	store := aoftest.Memory(t, nil)
	orders, err := store.CreateStream(ctx, "orders", nil)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	seq, err := orders.Append(ctx, []byte("first"))
	fmt.Println(seq, err)
	// Output: 1 <nil>
}

// What a program sees after the power went at the worst moment.
func ExampleDisk_Crash() {
	defer t.end()
	ctx := context.Background()

	disk := aoftest.NewDisk(t)
	orders, err := disk.Open(nil).CreateStream(ctx, "orders", nil)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	if _, err := orders.Append(ctx, []byte("acknowledged")); err != nil {
		t.Fatalf("append: %v", err)
	}

	recovered, err := disk.Crash(1).Open(nil).Stream(ctx, "orders")
	if err != nil {
		t.Fatalf("stream: %v", err)
	}
	fmt.Println(recovered.Bounds().Durable)
	// Output: 1
}

// How a program behaves while a sync takes long.
func ExampleDisk_HoldSyncs() {
	defer t.end()
	ctx := context.Background()

	disk := aoftest.NewDisk(t)
	orders, err := disk.Open(nil).CreateStream(ctx, "orders", nil)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	hold := disk.HoldSyncs()
	seq, err := orders.TryAppend([]byte("on its way"))
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	<-hold.Reached()
	fmt.Printf("%+v\n", orders.Bounds())
	hold.Release()
	fmt.Println(orders.WaitDurable(ctx, seq), orders.Bounds().Durable)
	// Output:
	// {First:1 Durable:0 Next:2}
	// <nil> 1
}

// How a program behaves on a full disk, and when there is room again.
func ExampleDisk_SetFree() {
	defer t.end()
	ctx := context.Background()

	disk := aoftest.NewDisk(t)
	orders, err := disk.Open(aoftest.Small()).CreateStream(ctx, "orders", nil)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	disk.SetFree(0)
	for err == nil {
		_, err = orders.Append(ctx, make([]byte, 4000))
	}
	fmt.Println(err != nil)
	disk.SetFree(-1)
	_, err = orders.AppendBatch(ctx, &aof.Batch{Records: []aof.Entry{{Data: []byte("x")}}})
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}
