//===- HTMLReport.cpp - Reports as a page for a browser -------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/HTMLReport.h"

#include "llvm/Support/JSON.h"

using namespace llvm;
using namespace a2q;

/// ReportPage.html.
static constexpr StringLiteral kPage =
#include "ReportPage.inc"
    ;

/// JSON has `<` in strings alone. Without it no text ends the script element,
/// or opens a comment in it.
static void writeScript(StringRef json, raw_ostream &os) {
  for (char c : json)
    if (c == '<')
      os << "\\u003c";
    else
      os << c;
}

/// A quoted attribute or text; a file's name may be no UTF-8.
static void writeText(StringRef text, raw_ostream &os) {
  for (char c : json::isUTF8(text) ? text.str() : json::fixUTF8(text))
    switch (c) {
    case '&':
      os << "&amp;";
      break;
    case '<':
      os << "&lt;";
      break;
    case '>':
      os << "&gt;";
      break;
    case '"':
      os << "&quot;";
      break;
    default:
      os << c;
    }
}

void a2q::writeHTML(StringRef json, StringRef model, raw_ostream &os) {
  auto [head, rest] = kPage.split("{{model}}");
  auto [middle, tail] = rest.split("{{report}}");
  os << head;
  writeText(model, os);
  os << middle;
  writeScript(json, os);
  os << tail;
}

std::string a2q::reportForFile(std::string json, StringRef model,
                               StringRef path) {
  if (!path.ends_with(".html"))
    return json;
  std::string page;
  raw_string_ostream os(page);
  writeHTML(json, model, os);
  return page;
}
