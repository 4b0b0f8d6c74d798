// SPDX-License-Identifier: Apache-2.0

// Package frame is what protocols and formats of models agree on.
//
// A protocol fills a Frame with the rows of a request, guided by the model's
// Schema, and writes the Result that the Model makes of it, guided by the
// Result's Output. A format makes a Model from a file. Neither knows the other:
// a new protocol works with all models, and a new format with all protocols.
//
// The package holds types and the few rules about them. It predicts nothing, and
// reads and writes no protocol.
package frame
