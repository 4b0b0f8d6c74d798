// SPDX-License-Identifier: Apache-2.0

package text

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/graph"
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
			split(text, func(token string) { tokens = append(tokens, token) })
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
