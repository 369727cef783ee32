package main

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// moment is the value of a flag that names a time: in RFC 3339, as a date, which is
// its midnight here, or as how long ago it was.
type moment struct {
	text  string
	at    time.Time     // once settled
	ago   time.Duration // before the moment of settle, when at was not given
	isAgo bool
	set   bool
}

func (m *moment) String() string { return m.text }

// Type is the word that help shows behind the flag.
func (m *moment) Type() string { return "TIME" }

// Set parses a value from the command line.
func (m *moment) Set(s string) error {
	n := moment{text: s, set: true}
	var ok bool
	if n.ago, ok = parseAgo(s); ok {
		n.isAgo = true
	} else if n.at, ok = parseTime(s); !ok {
		return errors.New("wants a time such as 2026-11-23T14:30:00Z or 2026-11-23T14:30:00.25+01:00, a date such as 2026-11-23, or how long ago, such as 90m, 36h or 7d")
	}
	*m = n
	return nil
}

// settle turns how long ago into a time. Flags that are settled with the same now
// can be compared.
func (m *moment) settle(now time.Time) {
	if m.isAgo {
		m.at = now.Add(-m.ago)
	}
}

// past reports whether t lies behind the moment, if one was given.
func (m *moment) past(t time.Time) bool { return m.set && t.After(m.at) }

func parseTime(s string) (time.Time, bool) {
	if t, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		return t, true
	}
	var t time.Time
	err := t.UnmarshalText([]byte(s))
	lenient := strings.Contains(s, ",") || strings.Index(s, ":") != len("2006-01-02T15") // taken there, and not RFC 3339
	return t, err == nil && !lenient
}

// parseAgo reads a duration as Go writes it, with whole days before it: 7d, 1d12h,
// 1.5h. A sign or a number without a unit is none.
func parseAgo(s string) (time.Duration, bool) {
	const day = 24 * time.Hour
	const maxDays = uint64(1<<63-1) / uint64(day)
	if s == "" || strings.ContainsAny(s, "+-") || s[len(s)-1] >= '0' && s[len(s)-1] <= '9' {
		return 0, false
	}
	var d time.Duration
	rest := s
	if days, behind, found := strings.Cut(s, "d"); found {
		n, err := strconv.ParseUint(days, 10, 64)
		if err != nil || n > maxDays {
			return 0, false
		}
		d, rest = time.Duration(n)*day, behind
	}
	if rest == "" {
		return d, true
	}
	more, err := time.ParseDuration(rest)
	return d + more, err == nil && d+more >= d
}
