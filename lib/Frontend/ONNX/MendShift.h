//===- MendShift.h - Codes by other zero points -----------------*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The codes of a value move when those who make them and those who read them
// take another zero point. What moves elements hands its codes on, so they move
// on both of its sides.
//
// Codes in s8 become u8 besides, and then others must follow: an operator such
// as QLinearConv wants one type for its input and its output. These others move
// by 128, so that all codes of one type become all codes of the other. Beside
// an operator that is not known, and at inputs and results of the network, a
// DequantizeLinear and a QuantizeLinear of scale 1 translate, which is exact.
// s8 ends where codes become reals; but runtimes fuse a layer between a
// DequantizeLinear and a QuantizeLinear into an operator of codes where both
// have one type, so that all other codes that are made of reals follow too, as
// far as nothing has to be translated for them.
//
// Codes that move by less leave room in u8 where s8 cut them off; a Clip does
// that then. Where they would have to be translated, nothing is done: it would
// cost more than it is for.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_FRONTEND_ONNX_MENDSHIFT_H
#define A2Q_LIB_FRONTEND_ONNX_MENDSHIFT_H

#include "ModelEditor.h"

#include "llvm/ADT/MapVector.h"

namespace a2q::frontend {

/// The codes of one value become `code - base`, in u8, from 0 to `most`.
struct CodeMove {
  std::string value;
  bool wasSigned = false; ///< s8 until now
  int64_t base = 0, most = 255;

  /// All codes of s8 become all of u8.
  bool isWhole() const { return wasSigned && base == -128; }
};

class CodeShift {
public:
  CodeShift(ModelEditor &editor, CodeMove move)
      : editor(editor), move(std::move(move)) {}

  /// The reason why it cannot be done, or "". Changes nothing.
  std::string find();
  /// Whether something stands beside the codes that cannot move with them.
  bool needsTranslation() const;
  void apply();

  /// After `apply`, in u8: values that have moved by the base, and values that
  /// have followed, by -128.
  std::vector<std::string> moved, followed;
  /// How often codes are translated.
  int64_t translations = 0;

private:
  /// A constant input that moves with the codes.
  struct Constant {
    onnx::NodeProto *node;
    int input;
    int64_t base;
  };
  struct Value {
    bool isOwn = false; ///< moves by the base
    /// Stays as it is; its readers get a translation.
    bool isSource = false;
    llvm::SmallVector<Use> readers;    ///< that take the new codes
    llvm::SmallVector<Use> oldReaders; ///< that want the old ones
  };

  void add(llvm::StringRef value, bool isOwn);
  void closeOver();
  void addQuantized();
  void addTypes(const onnx::NodeProto &node);
  bool visitProducer(llvm::StringRef value, bool isOwn);
  bool visitReader(const Use &use, bool isOwn);
  bool passMove(const onnx::NodeProto &node, bool isOwn);
  bool addZero(onnx::NodeProto *node, int input, bool isOwn);
  int64_t baseOf(bool isOwn) const { return isOwn ? move.base : -128; }

  void setZero(const Constant &zero);
  void setBound(const Constant &bound);
  void applyTo(llvm::StringRef name, Value &value);
  void translateFor(llvm::StringRef name, Value &value);
  std::string cutOff(const std::string &value, llvm::ArrayRef<Use> readers);
  std::string translate(const std::string &value, onnx::NodeProto *neighbour,
                        bool before, bool toUnsigned);
  std::string byte(ElementType type, int64_t value);

  ModelEditor &editor;
  CodeMove move;
  llvm::MapVector<std::string, Value, llvm::StringMap<unsigned>> values;
  /// Own values go first: what follows by its type alone must not take a
  /// value that moves with them.
  std::vector<std::string> waiting;
  llvm::SmallVector<std::string> waitingForType;
  std::vector<Constant> zeros, bounds;
};

} // namespace a2q::frontend

#endif // A2Q_LIB_FRONTEND_ONNX_MENDSHIFT_H
