//===- HTMLReport.h - Reports as a page for a browser -----------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A page is the JSON of a report inside a template that draws it: what people
// see is what programs read, and nothing is computed twice. The page is one
// file that loads nothing.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_ANALYSIS_HTMLREPORT_H
#define A2Q_ANALYSIS_HTMLREPORT_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

namespace a2q {

/// Writes a page around the JSON of a `Report` or a `SaturationReport`. `model`
/// is the file that it is of, for the title and for commands to copy; empty
/// where there is none. Both may hold any bytes.
void writeHTML(llvm::StringRef json, llvm::StringRef model,
               llvm::raw_ostream &os);

/// What belongs in a file of this name: the page where it ends in `.html`, else
/// the JSON itself.
std::string reportForFile(std::string json, llvm::StringRef model,
                          llvm::StringRef path);

} // namespace a2q

#endif // A2Q_ANALYSIS_HTMLREPORT_H
