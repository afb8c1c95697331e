//===- ConstraintOverrides.h - Constraints of single layers -----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A file that gives single layers constraints of their own, by the names that
// the report has:
//
//   { "conv1": { "width": 12, "method": "a2q-plus" },
//     "conv2": { "width": 8, "tile": 144 },
//     "fc":    { "skip": true } }
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_TRANSFORMS_CONSTRAINTOVERRIDES_H
#define A2Q_TRANSFORMS_CONSTRAINTOVERRIDES_H

#include "a2q/IR/ConstraintAttr.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"

#include <vector>

namespace a2q {

class ConstraintOverrides {
public:
  /// Reads a file. An error at `loc` for one that cannot be read, is no JSON or
  /// has other keys or values than a constraint; what `otherKeys` mean, the
  /// caller knows.
  static mlir::FailureOr<ConstraintOverrides>
  read(llvm::StringRef path, mlir::Location loc,
       llvm::ArrayRef<llvm::StringRef> otherKeys = {});

  /// The entries of a layer, for `constraintOf`; null where there are none.
  mlir::DictionaryAttr lookup(llvm::StringRef layer) const {
    return entries.lookup(layer);
  }
  /// The entries with other keys; null where there are none.
  mlir::DictionaryAttr lookupOther(llvm::StringRef layer) const {
    return otherEntries.lookup(layer);
  }

  /// An error at `loc` if the file has a layer that is not one of these.
  mlir::LogicalResult checkNames(llvm::ArrayRef<std::string> layers,
                                 mlir::Location loc) const;

private:
  std::string path;
  std::vector<std::string> names;
  llvm::StringMap<mlir::DictionaryAttr> entries, otherEntries;
};

} // namespace a2q

#endif // A2Q_TRANSFORMS_CONSTRAINTOVERRIDES_H
