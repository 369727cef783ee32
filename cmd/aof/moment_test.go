package main

import (
	"strings"
	"testing"
	"time"
)

func TestAMomentIsATimeADateOrHowLongAgo(t *testing.T) {
	now := time.Date(2026, 11, 23, 14, 30, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-11-23T14:30:00Z":                time.Date(2026, 11, 23, 14, 30, 0, 0, time.UTC),
		"2026-11-23T14:30:00.123456789Z":      time.Date(2026, 11, 23, 14, 30, 0, 123456789, time.UTC),
		"2026-11-23T14:30:00.5+01:00":         time.Date(2026, 11, 23, 13, 30, 0, 500_000_000, time.UTC),
		"0000-01-01T00:00:00Z":                time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
		"0001-01-01T00:00:00Z":                {},
		"9999-12-31T23:59:59.999999999-23:59": time.Date(10000, 1, 1, 23, 58, 59, 999999999, time.UTC),
		"2026-11-23":                          time.Date(2026, 11, 23, 0, 0, 0, 0, time.Local),
		"2024-02-29":                          time.Date(2024, 2, 29, 0, 0, 0, 0, time.Local),
		"90m":                                 now.Add(-90 * time.Minute),
		"36h":                                 now.Add(-36 * time.Hour),
		"7d":                                  now.Add(-7 * 24 * time.Hour),
		"1d12h30m":                            now.Add(-36*time.Hour - 30*time.Minute),
		"1.5h":                                now.Add(-90 * time.Minute),
		"0s":                                  now,
		"0d":                                  now,
		"106751d":                             now.Add(-106751 * 24 * time.Hour),
	} {
		var m moment
		if err := m.Set(text); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if m.settle(now); !m.at.Equal(want) || !m.set || m.String() != text {
			t.Errorf("%q is %v, want %v", text, m.at, want)
		}
	}
}

func TestWhatIsNoMomentIsRefusedWithExamples(t *testing.T) {
	for _, text := range []string{
		"", " ", "NaN", "nan", "Inf", "-inf", "soon", "now", "yesterday", "0", "5", "1700000000", "1.5", "d", "1.5d", "-7d", "+7d", "7d-1h", "7d1",
		"1h7d", "1e3h", "NaNh", "7w", "-1h", "1 h", "106752d", "106751d24h", "99999999999999999999d", "9999999999h", "0x7d", "7_0d",
		"2026-11-23T14:30:00", "2026-11-23 14:30:00Z", "2026-11-23T14:30Z", "2026-11-23T14:30:00,5Z", "2026-11-23T4:30:00Z", "2026-11-23T24:00:00Z",
		"2026-11-23T14:30:00+1:00", "2026-11-23T14:30:00+25:00", "2026-11-31", "2026-02-29", "2026-13-01", "2026-1-2", "20261123", "10000-01-01", "-0001-01-01",
		"23.11.2026", "2026-11", "2026-11-23Z", "2026-11-23\n", "\x00",
	} {
		m := moment{text: "before"}
		err := m.Set(text)
		if err == nil || m.text != "before" || m.set {
			t.Errorf("%q is taken as %v", text, m)
			continue
		}
		for _, example := range []string{"2026-11-23T14:30:00Z", "2026-11-23T14:30:00.25+01:00", "2026-11-23", "90m", "36h", "7d"} {
			var again moment
			if !strings.Contains(err.Error(), example) || again.Set(example) != nil {
				t.Errorf("%q: %v has no example %s that is right", text, err, example)
			}
		}
	}
}

func FuzzAMomentIsReadOrRefused(f *testing.F) {
	f.Add("7d")
	f.Add("2026-11-23T14:30:00Z")
	f.Add("1d12h")
	f.Fuzz(func(t *testing.T, text string) {
		var m moment
		now := time.Now()
		if m.Set(text) != nil {
			return
		}
		if m.settle(now); m.isAgo && m.at.After(now) {
			t.Errorf("%q ago is in the future, %v", text, m.at)
		}
	})
}
