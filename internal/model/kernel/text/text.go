// SPDX-License-Identifier: Apache-2.0

// Package text has the estimators that make columns of texts.
//
// A text is preprocessed, split into words or characters, and the terms of one or
// several of them are counted: by a vocabulary, or by their hash. Texts are Python's:
// letters, spaces and lower case are what Python's str and re take for them. What a
// file names of Python's own, such as a tokenizer, is refused.
package text

import (
	_ "embed" // of the stop words
	"strings"

	"github.com/serin-dev/serin/internal/model/fitted"
)

// Classes are the estimators of this package.
var Classes = fitted.Classes{
	"sklearn.feature_extraction.text.CountVectorizer":   newCount,
	"sklearn.feature_extraction.text.HashingVectorizer": newHashing,
	"sklearn.feature_extraction.text.TfidfTransformer":  newTfidf,
	"sklearn.feature_extraction.text.TfidfVectorizer":   newTfidfVectorizer,
}

// englishWords is the list of stop words of the Glasgow Information Retrieval Group,
// which scikit-learn has under the name "english":
// http://ir.dcs.gla.ac.uk/resources/linguistic_utils/stop_words
//
//go:embed english.txt
var englishWords string

func english() map[string]bool {
	all := map[string]bool{}
	for word := range strings.FieldsSeq(englishWords) {
		all[word] = true
	}
	return all
}
