package main

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aof2/aof"
)

// setting is everything the command knows about one option of a store. Its flag,
// its environment variable, its key in a file, its help and its line in `aof
// config` all come from here.
type setting struct {
	key   string // in a file: hot_file_size
	field string // in aof.Options, as its errors call it
	help  string
	value kind
}

// settings is the table of them.
var settings = []setting{
	{"hot_file_size", "HotFileSize", "the size of each file of the journal made from now on", sizeOf(func(o *aof.Options) *int64 { return &o.HotFileSize })},
	{"max_record", "MaxRecord", "the largest record", sizeOf(func(o *aof.Options) *int64 { return &o.MaxRecord })},
	{"max_batch", "MaxBatch", "the largest batch, headers included", sizeOf(func(o *aof.Options) *int64 { return &o.MaxBatch })},
	{"max_unflushed", "MaxUnflushed", "how much may be accepted and not yet on disk", sizeOf(func(o *aof.Options) *int64 { return &o.MaxUnflushed })},
	{"hot_budget", "HotBudget", "what the store may take of the disk; 0 is the disk less a reserve", sizeOf(func(o *aof.Options) *int64 { return &o.HotBudget })},
	{"when_full", "WhenFull", "what an append does when there is no room and none is being made", choiceOf(func(o *aof.Options) *aof.WhenFull { return &o.WhenFull })},
	{"close_timeout", "CloseTimeout", "how long closing waits for accepted records to become durable", durationOf(func(o *aof.Options) *time.Duration { return &o.CloseTimeout })},
}

func (s *setting) flag() string        { return strings.ReplaceAll(s.key, "_", "-") }
func (s *setting) environment() string { return "AOF_" + strings.ToUpper(s.key) }

// withKeys writes an error of package aof about options with the keys of settings.
func withKeys(err error) string {
	text := strings.TrimPrefix(plain(err), "invalid: ")
	for _, s := range settings {
		text = strings.ReplaceAll(text, s.field, s.key)
	}
	return text
}

// kind is how the values of a setting are written and where they go.
type kind interface {
	word() string                          // what help shows behind the flag
	set(o *aof.Options, text string) error // 0 is the default
	text(o *aof.Options) string            // so that set takes it back
	number(o *aof.Options) float64         // for JSON: bytes or seconds; 0 is the default
}

// sizeOf is a number of bytes.
type sizeOf func(*aof.Options) *int64

func (f sizeOf) word() string { return "SIZE" }

func (f sizeOf) set(o *aof.Options, text string) (err error) {
	*f(o), err = parseSize(text)
	return err
}

func (f sizeOf) text(o *aof.Options) string    { return exactSize(*f(o)) }
func (f sizeOf) number(o *aof.Options) float64 { return float64(*f(o)) }

// durationOf is a time as Go writes it.
type durationOf func(*aof.Options) *time.Duration

func (f durationOf) word() string { return "DURATION" }

func (f durationOf) set(o *aof.Options, text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return errors.New(`wants a duration with its unit, such as "10s", "1m30s" or "500ms"`)
	}
	*f(o) = d
	return nil
}

func (f durationOf) text(o *aof.Options) string    { return f(o).String() }
func (f durationOf) number(o *aof.Options) float64 { return f(o).Seconds() }

// choiceOf is one of two words.
type choiceOf func(*aof.Options) *aof.WhenFull

func (f choiceOf) word() string { return "fail|wait" }

func (f choiceOf) set(o *aof.Options, text string) error {
	switch text {
	case "fail":
		*f(o) = aof.FailWhenFull
	case "wait":
		*f(o) = aof.WaitWhenFull
	default:
		return errors.New(`wants "fail" or "wait"`)
	}
	return nil
}

func (f choiceOf) text(o *aof.Options) string {
	if *f(o) == aof.WaitWhenFull {
		return "wait"
	}
	return "fail"
}

func (f choiceOf) number(o *aof.Options) float64 { return float64(*f(o)) }

// sizeUnit is a unit of a size.
type sizeUnit struct {
	name  string
	bytes int64
}

// sizeUnits are all of them, the largest of each family first.
var sizeUnits = []sizeUnit{
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"KB", 1e3},
	{"B", 1},
}

// parseSize reads a number of bytes, with or without a unit: 64MiB, 1.5 GB, 1000.
func parseSize(text string) (int64, error) {
	number := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	unit, bytes := text[len(number):], int64(1)
	number = strings.TrimSpace(number)
	if unit != "" && number != "" {
		i := slices.IndexFunc(sizeUnits, func(u sizeUnit) bool { return strings.EqualFold(u.name, unit) })
		if i < 0 {
			return 0, fmt.Errorf("wants a size in B, KB, MB, GB or TB (powers of 1000) or KiB, MiB, GiB or TiB (powers of 1024), not in %q", unit)
		}
		bytes = sizeUnits[i].bytes
	}
	wrong := errors.New(`wants a size such as "64MiB", "64MB" or a number of bytes`)
	if strings.Trim(number, "0123456789.") != "" {
		return 0, wrong
	}
	n, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, wrong
	}
	n.Mul(n, new(big.Rat).SetInt64(bytes))
	switch {
	case !n.IsInt():
		return 0, errors.New("wants a size in whole bytes")
	case !n.Num().IsInt64():
		return 0, errors.New("wants a size below 8 EiB")
	}
	return n.Num().Int64(), nil
}

// exactSize writes a size so that parseSize gives it back.
func exactSize(n int64) string {
	for _, u := range sizeUnits[:4] {
		if n > 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}
