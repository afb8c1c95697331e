//===- PlanWorkspace.cpp - All buffers in one workspace of the caller -*- C++
//-*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Transforms/Entry.h"
#include "a2q/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/MathExtras.h"

namespace a2q {
#define GEN_PASS_DEF_A2QPLANWORKSPACE
#include "a2q/Transforms/Passes.h.inc"
} // namespace a2q

using namespace mlir;

namespace {

/// A buffer, the ops of the entry's block between which it is alive, and its
/// place in the workspace.
struct PlannedBuffer {
  memref::AllocOp alloc;
  int64_t size;
  int64_t first, last;
  int64_t offset = 0;

  bool conflictsWith(const PlannedBuffer &other) const {
    return first <= other.last && other.first <= last;
  }
};

int64_t elementBytes(MemRefType type) {
  int64_t bits =
      type.getElementType().isIndex() ? 64 : type.getElementTypeBitWidth();
  return llvm::divideCeil(bits, 8);
}

int64_t sizeInBytes(MemRefType type) {
  return type.getNumElements() * elementBytes(type);
}

/// Places buffers, largest first, each at the lowest offset where it meets no
/// buffer that is alive at the same time. Returns the workspace's size, or
/// nothing where 64 bits cannot count it.
std::optional<int64_t> place(MutableArrayRef<PlannedBuffer> buffers) {
  SmallVector<PlannedBuffer *> order, placed;
  for (PlannedBuffer &buffer : buffers)
    order.push_back(&buffer);
  llvm::sort(order, [](const PlannedBuffer *a, const PlannedBuffer *b) {
    return a->size != b->size ? a->size > b->size : a < b;
  });
  int64_t total = 0, sum = a2q::workspaceAlignment;
  for (PlannedBuffer *buffer : order) {
    // No offset is beyond the sum of all sizes with their gaps.
    if (llvm::AddOverflow(sum, buffer->size + a2q::workspaceAlignment, sum) ||
        buffer->size > std::numeric_limits<int64_t>::max() / 2)
      return std::nullopt;
    // `placed` is in order of offsets: the first gap that is large enough.
    for (const PlannedBuffer *other : placed) {
      if (!buffer->conflictsWith(*other))
        continue;
      if (buffer->offset + buffer->size <= other->offset)
        break;
      buffer->offset = std::max<int64_t>(
          buffer->offset,
          llvm::alignTo(other->offset + other->size, a2q::workspaceAlignment));
    }
    total = std::max(total, buffer->offset + buffer->size);
    placed.insert(
        llvm::upper_bound(placed, buffer,
                          [](const PlannedBuffer *a, const PlannedBuffer *b) {
                            return a->offset < b->offset;
                          }),
        buffer);
  }
  return total;
}

struct PlanWorkspace : a2q::impl::A2QPlanWorkspaceBase<PlanWorkspace> {
  void runOnOperation() override {
    FailureOr<func::FuncOp> entry = a2q::findEntry(getOperation());
    if (failed(entry))
      return signalPassFailure();
    auto noted = (*entry)->getAttrOfType<DictionaryAttr>(a2q::entryAttrName);
    if (!noted) {
      entry->emitOpError("is not prepared").attachNote()
          << "run a2q-prepare-entry before bufferization";
      return signalPassFailure();
    }
    int64_t inputs = cast<IntegerAttr>(noted.get("inputs")).getInt();
    copyElementwise(*entry);

    FailureOr<SmallVector<PlannedBuffer>> buffers = collect(*entry);
    if (failed(buffers))
      return signalPassFailure();
    std::optional<int64_t> size = place(*buffers);
    if (!size) {
      entry->emitOpError("needs a workspace whose bytes 64 bits cannot count");
      return signalPassFailure();
    }
    replaceAllocations(*entry, *buffers, *size);
    for (unsigned i = 0, e = entry->getNumArguments(); i < e; ++i)
      entry->setArgAttrs(i, ArrayRef<NamedAttribute>());
    Builder b(&getContext());
    SmallVector<int64_t> alignments;
    for (Type type : entry->getFunctionType().getInputs().drop_back())
      alignments.push_back(elementBytes(cast<MemRefType>(type)));
    (*entry)->setAttr(
        a2q::entryAttrName,
        b.getDictionaryAttr(
            {b.getNamedAttr("alignments", b.getDenseI64ArrayAttr(alignments)),
             b.getNamedAttr("inputs", b.getI64IntegerAttr(inputs)),
             b.getNamedAttr(
                 "outputs",
                 b.getI64IntegerAttr(entry->getNumArguments() - 1 - inputs)),
             b.getNamedAttr("workspace", b.getI64IntegerAttr(*size))}));
  }

  /// A copy between strided buffers would become a call of a run-time library.
  void copyElementwise(func::FuncOp entry) {
    entry.walk([&](memref::CopyOp copy) {
      auto isPlain = [](Value value) {
        return cast<MemRefType>(value.getType()).getLayout().isIdentity();
      };
      if (isPlain(copy.getSource()) && isPlain(copy.getTarget()))
        return;
      OpBuilder b(copy);
      linalg::makeMemRefCopyOp(b, copy.getLoc(), copy.getSource(),
                               copy.getTarget());
      copy.erase();
    });
  }

  FailureOr<SmallVector<PlannedBuffer>> collect(func::FuncOp entry) {
    if (!llvm::hasSingleElement(entry.getBody()))
      return entry.emitOpError("has several blocks; structured control flow "
                               "is expected");
    WalkResult calls = entry.walk([](func::CallOp call) {
      call.emitOpError("is left in the entry, whose buffers are planned");
      return WalkResult::interrupt();
    });
    if (calls.wasInterrupted())
      return failure();

    Block &body = entry.getBody().front();
    DenseMap<Operation *, int64_t> position;
    for (auto [index, op] : llvm::enumerate(body))
      position[&op] = index;
    BufferViewFlowAnalysis aliases(entry);

    SmallVector<PlannedBuffer> buffers;
    WalkResult result = entry.walk([&](memref::AllocOp alloc) {
      MemRefType type = alloc.getType();
      if (!type.hasStaticShape() || !type.getLayout().isIdentity()) {
        alloc.emitOpError("has type ") << type
                                       << ", whose size is not known when the "
                                          "workspace is planned";
        return WalkResult::interrupt();
      }
      int64_t begin = position.at(body.findAncestorOpInBlock(*alloc));
      PlannedBuffer buffer{alloc, sizeInBytes(type), begin, begin};
      for (Value alias : aliases.resolve(alloc.getResult()))
        for (Operation *user : alias.getUsers()) {
          if (isa<memref::DeallocOp>(user))
            continue;
          buffer.last = std::max(
              buffer.last, position.at(body.findAncestorOpInBlock(*user)));
        }
      buffers.push_back(buffer);
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      return failure();
    return buffers;
  }

  void replaceAllocations(func::FuncOp entry, ArrayRef<PlannedBuffer> buffers,
                          int64_t size) {
    OpBuilder b = OpBuilder::atBlockBegin(&entry.getBody().front());
    Location loc = entry.getLoc();
    auto type = MemRefType::get({size}, b.getI8Type());
    (void)entry.insertArgument(entry.getNumArguments(), type, {}, loc);
    Value workspace = entry.getArguments().back();
    entry.walk([](memref::DeallocOp dealloc) { dealloc.erase(); });
    for (const PlannedBuffer &buffer : buffers) {
      memref::AllocOp alloc = buffer.alloc;
      Value offset =
          arith::ConstantIndexOp::create(b, alloc.getLoc(), buffer.offset);
      Value view = memref::ViewOp::create(b, alloc.getLoc(), alloc.getType(),
                                          workspace, offset, ValueRange());
      alloc.replaceAllUsesWith(view);
    }
    for (PlannedBuffer buffer : buffers)
      buffer.alloc.erase();
  }
};

} // namespace
