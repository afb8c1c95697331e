//===- MendAbsorb.h - Channels in another order, for nothing ----*- C++ -*-===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A layer wants its input channels in another order. Where they come from other
// layers, through nodes that treat all channels alike, and go to layers again,
// all of these can agree on one order: those before permute their output
// channels (weights, biases and scales), those after the input channels of
// their weights, and nothing is moved when the network runs. Depthwise
// convolutions and constants on the way are permuted too. Of a sum or product
// of two values, both sides are. What an earlier mend gathers from such values
// it gathers from other places.
//
//===----------------------------------------------------------------------===//

#ifndef A2Q_LIB_FRONTEND_ONNX_MENDABSORB_H
#define A2Q_LIB_FRONTEND_ONNX_MENDABSORB_H

#include "ModelEditor.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace a2q::frontend {

/// Values whose channels stand in one order. Changes nothing before `apply`.
class ChannelOrder {
public:
  /// `behind` is the number of dimensions after that of the channels: 0 for
  /// rows, 2 for images.
  ChannelOrder(ModelEditor &editor, int64_t behind, int64_t channels)
      : editor(editor), behind(behind), isImage(behind > 0),
        channels(channels) {}

  /// Of what `reader` reads, as its activations; the reason why it cannot be
  /// changed, or "".
  std::string find(onnx::NodeProto *reader, llvm::StringRef value);

  /// The layers that sum over these channels; it is for the caller to permute
  /// the input channels of their weights.
  llvm::ArrayRef<onnx::NodeProto *> readers() const {
    return layers.getArrayRef();
  }

  /// Channel `order[i]` comes to stand in place i.
  void apply(llvm::ArrayRef<int64_t> order);

private:
  /// One input of a node along one dimension, a constant or dequantized one.
  struct Permuted {
    onnx::NodeProto *node;
    int input;
    int64_t dim;
  };

  /// Adds the values that a node makes the permuted one of, or of the permuted
  /// one. False where it cannot pass the order on.
  bool pass(onnx::NodeProto *node);
  bool passLayer(onnx::NodeProto *node);
  bool passIntegerLayer(onnx::NodeProto *node);
  bool passBinary(onnx::NodeProto *node, int first, int second);
  bool endAt(onnx::NodeProto *node, bool isConvolution);
  bool passReader(const Use &use);
  bool passGather(onnx::NodeProto *node);
  bool isPerTensor(const onnx::NodeProto &node, int input) const;
  /// Constants that hold the channels in `dim` and have `rank` dimensions, or
  /// `anyRank`. False where the input has other sizes or is computed.
  bool collect(onnx::NodeProto *node, int input, int64_t dim, int64_t rank,
               bool orScalar);
  bool collectWeights(onnx::NodeProto *node, int input, bool isConvolution);
  /// One for all, or one for each.
  bool collectScale(onnx::NodeProto *node, int input) {
    return collect(node, input, 0, 1, /*orScalar=*/true);
  }
  void add(const std::string &value) {
    if (values.insert(value).second)
      waiting.push_back(value);
  }

  static constexpr int64_t anyRank = -1;

  ModelEditor &editor;
  int64_t behind;
  bool isImage;
  int64_t channels;
  std::vector<Permuted> permuted;
  llvm::StringSet<> values;
  std::vector<std::string> waiting;
  /// Whose outputs are in the new order.
  llvm::SmallPtrSet<onnx::NodeProto *, 8> passed;
  llvm::SetVector<onnx::NodeProto *> layers, gathers;
};

} // namespace a2q::frontend

#endif // A2Q_LIB_FRONTEND_ONNX_MENDABSORB_H
