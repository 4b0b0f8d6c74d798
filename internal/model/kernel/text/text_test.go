// SPDX-License-Identifier: Apache-2.0

package text

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/testkit/hostile"
)

// What Python 3.11's re.findall returns.
func TestPatternsFindWhatPythonFinds(t *testing.T) {
	texts := []string{"the cat-sat on_it 3,5 é\u0301a b", "Größe ½x²y ٣٤ _a_  東京 don't a-b--c", "", "\x1c a\u00a0b\u2003c\u0085d"}
	for pattern, want := range map[string][]string{
		`(?u)\b\w\w+\b`:    {"the cat sat on_it", "Größe ½x²y ٣٤ _a_ 東京 don", "", ""},
		`\b\w+\b`:          {"the cat sat on_it 3 5 é a b", "Größe ½x²y ٣٤ _a_ 東京 don t a b c", "", "a b c d"},
		`\S+`:              {"the cat-sat on_it 3,5 é\u0301a b", "Größe ½x²y ٣٤ _a_ 東京 don't a-b--c", "", "a b c d"},
		`[a-zA-Z]{3,}`:     {"the cat sat", "don", "", ""},
		`[\w'-]+`:          {"the cat-sat on_it 3 5 é a b", "Größe ½x²y ٣٤ _a_ 東京 don't a-b--c", "", "a b c d"},
		`(\w)-\w`:          {"t", "a", "", ""},
		`[^\s,]+`:          {"the cat-sat on_it 3 5 é\u0301a b", "Größe ½x²y ٣٤ _a_ 東京 don't a-b--c", "", "a b c d"},
		`\b[a-zA-Z]{2,}\b`: {"the cat sat", "don", "", ""},
		`(?u)\b[a-z]+\b`:   {"the cat sat a b", "don t a b c", "", "a b c d"},
		`\b(\w)\w+\b`:      {"t c s o", "G \u00bd \u0663 _ \u6771 d", "", ""},
		`\b[^ ]\b`:         {"- 3 , 5 \u00e9 \u0301 a b", "' t a - b c", "", "a \u00a0 b \u2003 c \u0085 d"},
		`\b\w+'\w+\b`:      {"", "don't", "", ""},
		`\b(?:a|\d)\b`:     {"3 5 a", "a", "", "a"},
		`\b[a-z]`:          {"t c s o a b", "d t a b c", "", "a b c d"},
		`\b[^\d\s]+\b`:     {"the cat-sat on_it , \u00e9\u0301a b", "Gr\u00f6\u00dfe \u00bdx\u00b2y _a_ \u6771\u4eac don't a-b--c", "", "a b c d"},
		`\b\w[\w-]*\w\b`:   {"the cat-sat on_it", "Gr\u00f6\u00dfe \u00bdx\u00b2y \u0663\u0664 _a_ \u6771\u4eac don a-b--c", "", ""},
		`\b\D\W\b`:         {"\u00e9\u0301 a ", "   t  a- --", "", "a\u00a0 b\u2003 c\u0085"},
		`\b.\w*?\b`:        {"the   cat - sat   on_it   3 , 5   \u00e9 \u0301 a   b", "Gr\u00f6\u00dfe   \u00bdx\u00b2y   \u0663\u0664   _a_ \u6771\u4eac   don ' t   a - b c", "", "a \u00a0 b \u2003 c \u0085 d"},
		`\b\w{2,3}?`:       {"th ca sa on", "Gr \u00bdx \u0663\u0664 _a \u6771\u4eac do", "", ""},
	} {
		split, err := parsePattern(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		var got []string
		for _, text := range texts {
			var tokens []string
			split(text, func(token string, _ int) bool { tokens = append(tokens, token); return true })
			got = append(got, strings.Join(tokens, " "))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", pattern, diff)
		}
	}
}

func TestPatternsThatMayMeanAnotherThingAreRefused(t *testing.T) {
	for _, pattern := range []string{
		`\b[a-z]+|b\b`, `a\bb`, `\b\bb`, `a{,2}`, `[a`, `(?<=t)\w+`, `(?i)a`, `^a`, `a$`, `\w*`, `(a)(b)`, `[]a]`, `[^]a]`, `[[:alpha:]]`, `[\W]`, `\Aa`, `a\Z`, `\1`, `\u00e9`, `\p{L}`, `a\`, `(`, `a++`, `\Qa`, "a\xff",
		`a{1000}b{1000}`, `(?:(?:ab){30}c){30}`, strings.Repeat("a|", 1000) + "b",
	} {
		if _, err := parsePattern(pattern); err == nil {
			t.Errorf("%s is no error", pattern)
		}
	}
}

// What Python 3.11's str.lower returns, and scikit-learn's strip_accents_*.
func TestTextsArePreparedAsInPython(t *testing.T) {
	got := map[string]string{}
	for _, s := range []string{"ΑΣ", "ΑΣΑ", "Σ", "ΑΣ.", "Α.Σ'", "ΟΔΥΣΣΕΥΣ ΣΑΣ", "İSTANBUL", "ẞß", "ǅ", "𐐀", "AΣ\u0301 b"} {
		got[s] = lower(s)
	}
	want := map[string]string{
		"ΑΣ": "ας", "ΑΣΑ": "ασα", "Σ": "σ", "ΑΣ.": "ας.", "Α.Σ'": "α.ς'", "ΟΔΥΣΣΕΥΣ ΣΑΣ": "οδυσσευς σας",
		"İSTANBUL": "i\u0307stanbul", "ẞß": "ßß", "ǅ": "ǆ", "𐐀": "\U00010428", "AΣ\u0301 b": "aς\u0301 b",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lower case (-want +got):\n%s", diff)
	}
	stripped := map[string][2]string{}
	for _, s := range []string{"é", "e\u0301", "ﬁ", "東京", "Ångström ½", "İ", "ก็"} {
		stripped[s] = [2]string{stripAccents(s), stripASCII(s)}
	}
	accents := map[string][2]string{
		"é": {"e", "e"}, "e\u0301": {"e", "e"}, "ﬁ": {"fi", "fi"}, "東京": {"東京", ""}, "Ångström ½": {"Angstrom 1\u20442", "Angstrom 12"}, "İ": {"I", "I"}, "ก็": {"ก็", ""},
	}
	if diff := cmp.Diff(accents, stripped); diff != "" {
		t.Errorf("without accents (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("a b\tc d", squeeze("a  b\tc\n\x1cd")); diff != "" {
		t.Errorf("spaces (-want +got):\n%s", diff)
	}
}

// What scikit-learn's murmurhash3_32 returns.
func TestHashesAreMurmur3(t *testing.T) {
	want := map[string]int32{"": 0, "a": 1009084850, "ab": -1681926305, "abc": -1277324294, "abcd": 1139631978, "abcde": -392455434, "ünïcödé": 2069557956, "the quick brown": -1207202606}
	got := map[string]int32{}
	for s := range want {
		got[s] = int32(murmur3([]byte(s)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hashes (-want +got):\n%s", diff)
	}
}

func TestShortWordsCountOnceAtTheirEdges(t *testing.T) {
	for _, c := range []struct {
		least, most int
		want        string
	}{
		{2, 4, " a|a | a "},
		{3, 5, " a "},
		{5, 9, " a "},
	} {
		a := analyzer{kind: "char_wb", least: c.least, most: c.most}
		var got []string
		if err := a.each(&terms{w: &graph.Work{}}, "\ta\n", func(term []byte) { got = append(got, string(term)) }); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, strings.Join(got, "|")); diff != "" {
			t.Errorf("%d to %d (-want +got):\n%s", c.least, c.most, diff)
		}
	}
}

// counter answers with nothing but how long its vectorizer takes.
type counter struct{ vectorizer }

func (*counter) Output(frame.Method) (frame.Output, bool) { return graph.One(), true }

func (c *counter) Predict(w *graph.Work, _ frame.Method, _ []float64, x frame.Frame) error {
	_, err := c.Transform(w, x)
	return err
}

// A hostile pattern looks at all of a text for each token, and a hostile file makes far
// more terms of a text than it has words.
func TestTextsThatTakeLongStopWhenToldTo(t *testing.T) {
	greedy, err := parsePattern("a.*b|a")
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	for name, a := range map[string]*analyzer{
		"a pattern":          {kind: word, split: greedy, least: 1, most: 1},
		"runs of words":      {kind: word, split: words(1), least: 1, most: maxTerm},
		"runs of characters": {kind: "char", least: 1, most: maxTerm},
	} {
		c := &counter{vectorizer{analyzer: a, width: 8, place: func(term []byte) (int32, float64) { return int32(len(term) % 8), 1 }}}
		c.input = graph.Input{Class: "Counter", Schema: frame.Schema{Width: 1, Kinds: []frame.Kind{frame.Strings}, Flat: true}, AllowNaN: true}
		x := frame.Dense(1, 1, []float64{frame.Text})
		x.Texts = []string{strings.Repeat("a ", 20_000)}
		asked := 0
		stop := func() error { asked++; return enough }
		hostile.Bounded(t, 64<<20, time.Minute, func() {
			if err := graph.New(c, "Counter", 1).Predict(stop, frame.Predict, &frame.Result{}, x); !errors.Is(err, enough) || asked != 1 {
				t.Errorf("%s: asked %d times: %v", name, asked, err)
			}
		})
	}
}

func TestTermsOfFewColumnsTakeLittleMemory(t *testing.T) {
	var h hits
	for i := range 1_000_000 {
		h.add(hit{int32(i % 3), 1})
	}
	if cap(h.all) > 4*fewHits {
		t.Errorf("memory for %d terms", cap(h.all))
	}
	h.merge()
	if diff := cmp.Diff([]hit{{0, 333_334}, {1, 333_333}, {2, 333_333}}, h.all, cmp.AllowUnexported(hit{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
