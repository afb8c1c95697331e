//===- Npy.cpp - NumPy's file format ----------------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Tools/Npy.h"

#include "a2q/Support/OutputFile.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace a2q;

static constexpr StringLiteral magic("\x93NUMPY");

Error a2q::fileError(StringRef path, const Twine &message) {
  return createStringError(Twine("'") + path + "': " + message);
}

/// NumPy's descriptor of an element, such as "<f4".
static StringRef descriptor(ElementKind kind) {
  static constexpr StringLiteral table[] = {"|i1", "|u1", "<i2", "<u2",
                                            "<i4", "<u4", "<i8", "<f4"};
  return table[static_cast<int>(kind)];
}

static std::optional<ElementKind> parseDescriptor(StringRef text) {
  // Truth values are bytes of 0 or 1.
  if (text == "|b1")
    return ElementKind::U8;
  for (int i = 0; i <= static_cast<int>(ElementKind::F32); ++i) {
    auto kind = static_cast<ElementKind>(i);
    // Single bytes have no order, but some writers give them one.
    if (text == descriptor(kind) ||
        (sizeInBytes(kind) == 1 && text.size() == 3 && text[0] == '<' &&
         text.drop_front() == descriptor(kind).drop_front()))
      return kind;
  }
  return std::nullopt;
}

/// The text after `'key':` in the header's dictionary.
static std::optional<StringRef> valueOf(StringRef header, StringRef key) {
  size_t at = header.find(("'" + key + "'").str());
  if (at == StringRef::npos)
    return std::nullopt;
  StringRef rest = header.substr(at + key.size() + 2).ltrim();
  if (!rest.consume_front(":"))
    return std::nullopt;
  return rest.ltrim();
}

/// Parses `(1, 8, 8)`, `(3,)` or `()`; false when it is neither.
static bool parseShape(StringRef text, SmallVectorImpl<int64_t> &shape) {
  if (!text.consume_front("("))
    return false;
  size_t end = text.find(')');
  if (end == StringRef::npos)
    return false;
  SmallVector<StringRef> parts;
  text.take_front(end).split(parts, ',');
  if (parts.back().trim().empty())
    parts.pop_back();
  for (StringRef part : parts) {
    int64_t size;
    if (part.trim().getAsInteger(10, size) || size < 0)
      return false;
    shape.push_back(size);
  }
  return true;
}

/// Splits a file into the header's dictionary and the elements.
static Error splitFile(StringRef path, StringRef bytes, StringRef &header,
                       StringRef &data) {
  if (!bytes.starts_with(magic))
    return fileError(path, "is no .npy file: its first bytes are not "
                           "\\x93NUMPY");
  size_t lengthBytes = bytes.size() > 6 && bytes[6] == 1 ? 2 : 4;
  if (bytes.size() < 8 + lengthBytes)
    return fileError(path, "is truncated in its header");
  if (bytes[6] < 1 || bytes[6] > 3)
    return fileError(path, "has .npy format " + Twine(int(bytes[6])) +
                               "; formats 1 to 3 are known");
  const char *at = bytes.data() + 8;
  size_t length = lengthBytes == 2 ? support::endian::read16le(at)
                                   : support::endian::read32le(at);
  if (bytes.size() - 8 - lengthBytes < length)
    return fileError(path, "is truncated in its header");
  header = bytes.substr(8 + lengthBytes, length);
  data = bytes.substr(8 + lengthBytes + length);
  return Error::success();
}

Expected<NpyArray> a2q::readNpy(StringRef path) {
  if (sys::fs::is_directory(path))
    return fileError(path, "is a directory");
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false,
                                      /*RequiresNullTerminator=*/false);
  if (!buffer)
    return fileError(path, buffer.getError().message());
  StringRef header, data;
  if (Error error = splitFile(path, (*buffer)->getBuffer(), header, data))
    return std::move(error);

  NpyArray array;
  std::optional<StringRef> descr = valueOf(header, "descr");
  std::optional<StringRef> order = valueOf(header, "fortran_order");
  std::optional<StringRef> shape = valueOf(header, "shape");
  if (!descr || !order || !shape)
    return fileError(path,
                     "has a header without descr, fortran_order or shape");
  StringRef quoted = *descr;
  if (!quoted.consume_front("'"))
    return fileError(path, "holds structured elements; plain numbers are "
                           "supported");
  StringRef name = quoted.take_until([](char c) { return c == '\''; });
  std::optional<ElementKind> kind = parseDescriptor(name);
  if (!kind)
    return fileError(path, "holds elements of dtype '" + name +
                               "'; supported are little-endian int8, uint8, "
                               "int16, uint16, int32, uint32, int64 and "
                               "float32");
  array.kind = *kind;
  if (!parseShape(*shape, array.shape))
    return fileError(path, "has a malformed shape in its header");
  // The order of at most one dimension larger than 1 is both.
  if (order->starts_with("True") &&
      count_if(array.shape, [](int64_t size) { return size > 1; }) > 1)
    return fileError(path, "is in Fortran order; save it from "
                           "numpy.ascontiguousarray(array)");
  uint64_t expected = sizeInBytes(array.kind);
  for (int64_t size : array.shape) {
    if (size && expected > (uint64_t(1) << 62) / size)
      return fileError(path, "has a shape of more than 2^62 bytes");
    expected *= size;
  }
  if (data.size() != expected)
    return fileError(path, "holds " + Twine(data.size()) +
                               " bytes of elements, its header promises " +
                               Twine(expected));
  array.data.assign(data.begin(), data.end());
  return array;
}

static std::string bytesOf(const NpyArray &array) {
  std::string header;
  raw_string_ostream os(header);
  os << "{'descr': '" << (array.isTruth ? "|b1" : descriptor(array.kind))
     << "', 'fortran_order': False, 'shape': (";
  interleave(array.shape, os, ", ");
  os << (array.shape.size() == 1 ? ",), }" : "), }");
  // Magic, version, length and header fill a multiple of 64 bytes.
  header.append(64 - (10 + header.size() + 1) % 64, ' ');
  header.push_back('\n');
  std::string bytes;
  raw_string_ostream out(bytes);
  char length[2];
  support::endian::write16le(length, header.size());
  out << magic << '\1' << '\0';
  out.write(length, 2);
  out << header;
  out.write(array.data.data(), array.data.size());
  return bytes;
}

Error a2q::writeNpy(StringRef path, const NpyArray &array) {
  return writeNpyFiles({{path, &array}});
}

Error a2q::writeNpyFiles(
    ArrayRef<std::pair<StringRef, const NpyArray *>> files) {
  std::vector<std::string> bytes;
  for (const auto &[path, array] : files)
    bytes.push_back(bytesOf(*array));
  SmallVector<OutputContents> contents;
  for (auto [file, text] : zip_equal(files, bytes))
    contents.push_back({file.first, text});
  return writeOutputFiles(contents);
}
