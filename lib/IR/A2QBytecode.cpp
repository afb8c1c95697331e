//===- A2QBytecode.cpp - Bytecode of the dialect's types and attributes ---===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Without an encoding of its own an attribute travels as text, and a resource
// named in that text is not found again on the other side: the starts of a
// schedule and the moments of a layer would be lost.
//
//===----------------------------------------------------------------------===//

#include "a2q/IR/A2QDialect.h"

#include "mlir/Bytecode/BytecodeImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace a2q;

using EmitError = function_ref<InFlightDiagnostic()>;

namespace {
/// What follows is one of these; other attributes of the dialect are text.
enum AttributeCode : uint64_t { kSchedule = 0, kMoments = 1 };
enum TypeCode : uint64_t { kAccumulator = 0 };

struct A2QBytecodeInterface : BytecodeDialectInterface {
  explicit A2QBytecodeInterface(Dialect *dialect)
      : BytecodeDialectInterface(dialect) {}

  LogicalResult writeAttribute(Attribute attr,
                               DialectBytecodeWriter &writer) const override {
    if (auto schedule = dyn_cast<ScheduleAttr>(attr)) {
      writer.writeVarInt(kSchedule);
      writer.writeAttributes(schedule.getEnds());
      writer.writeOptionalAttribute(schedule.getStarts());
      writer.writeOptionalAttribute(schedule.getOrder());
      return success();
    }
    if (auto moments = dyn_cast<MomentsAttr>(attr)) {
      writer.writeVarInt(kMoments);
      writer.writeSignedVarInt(moments.getSamples());
      writer.writeAttribute(moments.getMean());
      writer.writeAttribute(moments.getProducts());
      writer.writeOptionalAttribute(moments.getSumMean());
      writer.writeOptionalAttribute(moments.getSumVariance());
      return success();
    }
    return failure();
  }

  Attribute readAttribute(DialectBytecodeReader &reader) const override {
    uint64_t code;
    if (failed(reader.readVarInt(code)))
      return {};
    if (code == kSchedule)
      return readSchedule(reader);
    if (code == kMoments)
      return readMoments(reader);
    reader.emitError() << "unknown attribute code " << code;
    return {};
  }

  LogicalResult writeType(Type type,
                          DialectBytecodeWriter &writer) const override {
    auto accumulator = dyn_cast<AccumulatorType>(type);
    if (!accumulator)
      return failure();
    writer.writeVarInt(kAccumulator);
    writer.writeVarInt(accumulator.getWrap());
    writer.writeList(accumulator.getStages(), [&](AccumulatorStage stage) {
      writer.writeVarInt(stage.width);
      writer.writeSignedVarInt(stage.terms);
    });
    return success();
  }

  Type readType(DialectBytecodeReader &reader) const override {
    uint64_t code, wrap;
    SmallVector<AccumulatorStage> stages;
    if (failed(reader.readVarInt(code)))
      return {};
    if (code != kAccumulator) {
      reader.emitError() << "unknown type code " << code;
      return {};
    }
    auto readStage = [&](AccumulatorStage &stage) -> LogicalResult {
      uint64_t width;
      if (failed(reader.readVarInt(width)) ||
          failed(reader.readSignedVarInt(stage.terms)))
        return failure();
      // What does not fit is no width either: the verifier says so.
      stage.width = static_cast<unsigned>(std::min<uint64_t>(width, 65));
      return success();
    };
    if (failed(reader.readVarInt(wrap)) ||
        failed(reader.readList(stages, readStage)))
      return {};
    auto emitError = [&] { return reader.emitError(); };
    return AccumulatorType::getChecked(EmitError(emitError), getContext(),
                                       ArrayRef(stages), wrap != 0);
  }

private:
  Attribute readSchedule(DialectBytecodeReader &reader) const {
    SmallVector<DenseI64ArrayAttr> ends;
    ArrayAttr starts;
    DenseI64ArrayAttr order;
    if (failed(reader.readAttributes(ends)) ||
        failed(reader.readOptionalAttribute(starts)) ||
        failed(reader.readOptionalAttribute(order)))
      return {};
    auto emitError = [&] { return reader.emitError(); };
    return ScheduleAttr::getChecked(EmitError(emitError), getContext(),
                                    ArrayRef(ends), starts, order);
  }

  Attribute readMoments(DialectBytecodeReader &reader) const {
    int64_t samples;
    ElementsAttr mean, products, sumMean, sumVariance;
    if (failed(reader.readSignedVarInt(samples)) ||
        failed(reader.readAttribute(mean)) ||
        failed(reader.readAttribute(products)) ||
        failed(reader.readOptionalAttribute(sumMean)) ||
        failed(reader.readOptionalAttribute(sumVariance)))
      return {};
    auto emitError = [&] { return reader.emitError(); };
    return MomentsAttr::getChecked(EmitError(emitError), getContext(), samples,
                                   mean, products, sumMean, sumVariance);
  }
};
} // namespace

void A2QDialect::registerBytecode() { addInterface<A2QBytecodeInterface>(); }
