//===- Integers.h - Many integers in few bytes ------------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The weights of a network are most of its file, a byte each. As int64_t they
// would be eight files. This is a vector of int64_t that holds its elements in
// the fewest bytes that fit all of them: one for -128 to 127 and for 0 to 255,
// then two, four and eight. It widens when an element asks for it and never
// narrows. Elements are read by value and written through a proxy.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_FRONTEND_ONNX_INTEGERS_H
#define A2Q_LIB_FRONTEND_ONNX_INTEGERS_H

#include "llvm/ADT/iterator.h"

#include <cassert>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

namespace a2q::frontend {

class Integers {
public:
  class Reference {
  public:
    Reference(Integers &of, size_t at) : of(&of), at(at) {}
    operator int64_t() const { return of->get(at); }
    Reference &operator=(int64_t value) {
      of->set(at, value);
      return *this;
    }
    Reference &operator=(const Reference &other) {
      return *this = static_cast<int64_t>(other);
    }
    Reference(const Reference &) = default;
    Reference &operator+=(int64_t value) { return *this = *this + value; }
    Reference &operator-=(int64_t value) { return *this = *this - value; }

  private:
    Integers *of;
    size_t at;
  };

  class const_iterator
      : public llvm::iterator_facade_base<
            const_iterator, std::random_access_iterator_tag, int64_t,
            std::ptrdiff_t, const int64_t *, int64_t> {
  public:
    const_iterator(const Integers *of, size_t at) : of(of), at(at) {}
    int64_t operator*() const { return of->get(at); }
    bool operator==(const const_iterator &other) const {
      return at == other.at;
    }
    bool operator<(const const_iterator &other) const { return at < other.at; }
    std::ptrdiff_t operator-(const const_iterator &other) const {
      return static_cast<std::ptrdiff_t>(at) -
             static_cast<std::ptrdiff_t>(other.at);
    }
    const_iterator &operator+=(std::ptrdiff_t count) {
      at += count;
      return *this;
    }
    const_iterator &operator-=(std::ptrdiff_t count) {
      at -= count;
      return *this;
    }

  private:
    const Integers *of;
    size_t at;
  };

  Integers() = default;
  Integers(std::initializer_list<int64_t> values) {
    assign(values.begin(), values.end());
  }

  size_t size() const { return bytes.size() / width; }
  bool empty() const { return bytes.empty(); }
  int64_t operator[](size_t at) const { return get(at); }
  Reference operator[](size_t at) { return {*this, at}; }
  int64_t front() const { return get(0); }
  const_iterator begin() const { return {this, 0}; }
  const_iterator end() const { return {this, size()}; }

  void reserve(size_t count) { bytes.reserve(count * width); }
  void resize(size_t count) { bytes.resize(count * width, 0); }
  void push_back(int64_t value) {
    fit(value);
    bytes.resize(bytes.size() + width);
    write(size() - 1, value);
  }
  void set(size_t at, int64_t value) {
    fit(value);
    write(at, value);
  }
  template <typename Iterator> void append(Iterator from, Iterator to) {
    for (; from != to; ++from)
      push_back(*from);
  }
  template <typename Iterator> void assign(Iterator from, Iterator to) {
    *this = Integers();
    append(from, to);
  }
  std::vector<int64_t> vector() const { return {begin(), end()}; }

  /// The low `size` bytes of each element, little endian.
  std::vector<char> littleEndian(unsigned size) const;

  friend bool operator==(const Integers &a, const Integers &b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
  }

private:
  int64_t get(size_t at) const {
    const char *from = bytes.data() + at * width;
    switch (width) {
    case 1:
      return hasNegative ? int64_t(static_cast<signed char>(*from))
                         : int64_t(static_cast<unsigned char>(*from));
    case 2:
      return load<int16_t>(from);
    case 4:
      return load<int32_t>(from);
    default:
      return load<int64_t>(from);
    }
  }
  template <typename T> static int64_t load(const char *from) {
    T value;
    std::memcpy(&value, from, sizeof(T));
    return value;
  }
  void write(size_t at, int64_t value) {
    // Integers are little endian on every machine that runs this.
    std::memcpy(bytes.data() + at * width, &value, width);
  }
  /// Makes the elements wide enough for one more.
  void fit(int64_t value);

  std::vector<char> bytes;
  unsigned width = 1;
  bool hasNegative = false; ///< some element is or was below 0
  bool hasLarge = false;    ///< some element is or was above 127
};

} // namespace a2q::frontend

#endif // A2Q_LIB_FRONTEND_ONNX_INTEGERS_H
