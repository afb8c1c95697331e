//===- SaturationReport.cpp - What is said of saturation ------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "a2q/Analysis/SaturationReport.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace a2q;

SaturationAnswer SaturationReport::answer() const {
  SaturationAnswer result = SaturationAnswer::Safe;
  for (const LayerSaturation &layer : layers) {
    if (layer.answer == SaturationAnswer::Unsafe)
      return SaturationAnswer::Unsafe;
    if (layer.answer == SaturationAnswer::Unknown)
      result = SaturationAnswer::Unknown;
  }
  return result;
}

/// Where the ranges come from.
static StringRef rangesOf(const SaturationReport &report) {
  if (report.observedRuns)
    return "observed";
  return report.byType ? "types" : "proven";
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

namespace {
class Writer {
public:
  explicit Writer(raw_ostream &os) : json(os, /*IndentSize=*/2) {}

  void write(const SaturationReport &report) {
    json.object([&] {
      json.attribute("version", 1);
      json.attribute("isa", report.isa);
      json.attribute("ranges", rangesOf(report));
      if (report.observedRuns)
        json.attribute("runs", *report.observedRuns);
      else
        json.attribute("runs", nullptr);
      json.attribute("answer", toString(report.answer()));
      if (report.fix)
        write(*report.fix);
      else
        json.attribute("fix", nullptr);
      json.attributeArray("layers", [&] {
        for (auto [index, layer] : enumerate(report.layers))
          write(layer, report.witnessFiles.empty()
                           ? StringRef()
                           : StringRef(report.witnessFiles[index]));
      });
    });
  }

private:
  void write(const LayerSaturation &layer, StringRef witnessFile);
  void write(const PairingFinding &finding);
  void write(const SaturationFix &fix);
  void write(const LayerMend &mend);
  void write(const SaturatingPair &pair);

  static std::string text(StringRef string) {
    return json::isUTF8(string) ? string.str() : json::fixUTF8(string);
  }
  template <typename T> void pairOf(StringRef key, T first, T second) {
    json.attributeArray(key, [&] {
      json.rawValue(a2q::toString(Wide(first)));
      json.rawValue(a2q::toString(Wide(second)));
    });
  }

  json::OStream json;
};
} // namespace

void Writer::write(const SaturatingPair &pair) {
  json.object([&] {
    json.attribute("channel", pair.channel);
    json.attributeArray("terms", [&] {
      json.value(pair.terms.first);
      if (pair.terms.second >= 0)
        json.value(pair.terms.second);
    });
    size_t count = pair.terms.second >= 0 ? 2 : 1;
    json.attributeArray("weights", [&] {
      for (size_t side = 0; side < count; ++side)
        json.value(pair.weights[side]);
    });
    json.attributeArray("codes", [&] {
      for (size_t side = 0; side < count; ++side)
        json.array([&] {
          json.value(pair.codes[side].lo);
          json.value(pair.codes[side].hi);
        });
    });
    pairOf("sum", pair.sum.lo, pair.sum.hi);
  });
}

void Writer::write(const LayerMend &mend) {
  json.object([&] {
    json.attribute("name", text(mend.name));
    json.attributeArray("steps", [&] {
      for (const std::string &step : mend.steps)
        json.value(step);
    });
    json.attribute("lossless", mend.isLossless());
    json.attribute("gathers", mend.gathers);
    if (mend.gatherReason.empty())
      json.attribute("gather_reason", nullptr);
    else
      json.attribute("gather_reason", text(mend.gatherReason));
    json.attribute("translations", mend.translations);
    pairOf("terms", mend.termsBefore, mend.termsAfter);
    json.attribute("weights", mend.weights);
    json.attribute("weights_changed", mend.weightsChanged);
    json.attribute("rescaled_channels", mend.rescaledChannels);
    json.attribute("seven_bit_channels", mend.sevenBitChannels);
    json.attribute("relative_error", mend.relativeError);
    json.attribute("largest_change", mend.largestChange);
    json.attributeBegin("sum_change");
    json.rawValue(a2q::toString(mend.sumChange));
    json.attributeEnd();
  });
}

void Writer::write(const SaturationFix &fix) {
  json.attributeObject("fix", [&] {
    json.attribute("mode", fix.mode);
    json.attribute("output", text(fix.output));
    json.attributeArray("layers", [&] {
      for (const LayerMend &mend : fix.layers)
        write(mend);
    });
  });
}

void Writer::write(const PairingFinding &finding) {
  json.object([&] {
    json.attribute("pairing", finding.pairing);
    json.attribute("safe", finding.isSafe());
    json.attribute("pairs", finding.pairs);
    json.attribute("saturating_pairs", finding.saturatingPairs);
    json.attribute("saturating_channels", finding.saturatingChannels);
    pairOf("loss", finding.worst.loss.lo, finding.worst.loss.hi);
    if (!finding.first) {
      json.attribute("worst_channel", nullptr);
      json.attribute("first", nullptr);
      return;
    }
    json.attribute("worst_channel", finding.worstChannel);
    json.attributeBegin("first");
    write(*finding.first);
    json.attributeEnd();
  });
}

void Writer::write(const LayerSaturation &layer, StringRef witnessFile) {
  json.object([&] {
    json.attribute("name", text(layer.name));
    json.attribute("op", layer.op);
    json.attribute("answer", toString(layer.answer));
    if (layer.reason.empty())
      json.attribute("reason", nullptr);
    else
      json.attribute("reason", text(layer.reason));
    json.attribute("channels", layer.channels);
    json.attribute("reduction_length", layer.length);
    json.attributeObject("codes", [&] {
      json.attribute("lo", layer.codes.lo);
      json.attribute("hi", layer.codes.hi);
      json.attribute("shift", layer.shift);
    });
    if (layer.findings.empty()) {
      json.attribute("any_pairing", nullptr);
    } else {
      json.attributeObject("any_pairing", [&] {
        json.attribute("safe", layer.isSafeInAnyOrder());
        pairOf("sum", layer.anyPair.lo, layer.anyPair.hi);
      });
    }
    json.attributeArray("pairings", [&] {
      for (const PairingFinding &finding : layer.findings)
        write(finding);
    });
    if (!layer.witness) {
      json.attribute("witness", nullptr);
    } else {
      const SaturationWitness &witness = *layer.witness;
      json.attributeObject("witness", [&] {
        if (witnessFile.empty())
          json.attribute("file", nullptr);
        else
          json.attribute("file", text(witnessFile));
        json.attribute("pairing", witness.pairing);
        json.attribute("channel", witness.channel);
        json.attributeArray("position", [&] {
          for (int64_t at : witness.position)
            json.value(at);
        });
        json.attributeBegin("loss");
        json.rawValue(a2q::toString(witness.loss));
        json.attributeEnd();
      });
    }
    json.attributeArray("notes", [&] {
      for (const std::string &note : layer.notes)
        json.value(text(note));
    });
  });
}

void a2q::writeJSON(const SaturationReport &report, raw_ostream &os) {
  Writer(os).write(report);
  os << '\n';
}

//===----------------------------------------------------------------------===//
// Table
//===----------------------------------------------------------------------===//

/// A long name keeps its end, which tells layers of one model apart.
static std::string shorten(StringRef text, size_t width) {
  return text.size() <= width ? text.str()
                              : ".." + text.take_back(width - 2).str();
}

/// One decimal; a share that is not 0 does not look like it.
static std::string percent(int64_t part, int64_t whole) {
  if (part > 0 && part * 1000 < whole)
    return "< 0.1%";
  return formatv("{0:f1}%", 100.0 * part / std::max<int64_t>(whole, 1));
}

static void writeRow(const LayerSaturation &layer, raw_ostream &os) {
  constexpr const char *kRow = "{0,-24} {1,7} {2,11} {3,8} {4,12}  {5}\n";
  const PairingFinding *worst = nullptr;
  for (const PairingFinding &finding : layer.findings)
    if (!worst || finding.worst.worst() > worst->worst.worst() ||
        (worst->isSafe() && !finding.isSafe()))
      worst = &finding;
  if (!worst) {
    os << formatv(kRow, shorten(layer.name, 24), layer.length, "-", "-", "-",
                  toString(layer.answer));
    return;
  }
  os << formatv(
      kRow, shorten(layer.name, 24), layer.length,
      formatv("{0}/{1}", worst->saturatingChannels, layer.channels).str(),
      percent(worst->saturatingPairs, worst->pairs),
      a2q::toString(worst->worst.worst()), toString(layer.answer));
}

/// "127 * [0, 255] + 100 * [0, 255] reaches 57885".
static std::string describe(const SaturatingPair &pair) {
  std::string text;
  for (size_t side = 0; side < (pair.terms.second >= 0 ? 2 : 1); ++side)
    text +=
        formatv("{0}{1} * [{2}, {3}]", side ? " + " : "", pair.weights[side],
                pair.codes[side].lo, pair.codes[side].hi);
  Wide reached = saturationLoss(pair.sum.hi) > 0 ? pair.sum.hi : pair.sum.lo;
  return text + " reaches " + a2q::toString(reached);
}

static void writeDetails(const LayerSaturation &layer, StringRef witnessFile,
                         raw_ostream &os) {
  if (layer.answer == SaturationAnswer::Unknown)
    os << layer.name << ": unknown: " << layer.reason << '\n';
  for (const PairingFinding &finding : layer.findings) {
    if (layer.answer != SaturationAnswer::Unsafe)
      break;
    os << layer.name << ": " << finding.pairing << " pairs: ";
    if (finding.isSafe()) {
      os << "safe\n";
      continue;
    }
    const SaturatingPair &pair = *finding.first;
    os << "channel " << pair.channel << ", term"
       << (pair.terms.second >= 0 ? "s " : " ") << pair.terms.first;
    if (pair.terms.second >= 0)
      os << " and " << pair.terms.second;
    os << ": " << describe(pair) << '\n';
  }
  if (!witnessFile.empty())
    os << layer.name << ": witness for channel " << layer.witness->channel
       << " by " << layer.witness->pairing << ", "
       << a2q::toString(layer.witness->loss) << " lost: " << witnessFile
       << '\n';
  for (const std::string &note : layer.notes)
    os << layer.name << ": note: " << note << '\n';
}

/// "split by a gather, 9 to 18 products: no sum changes".
static std::string describe(const LayerMend &mend) {
  std::string text = join(mend.steps, ", ");
  if (mend.translations)
    text += formatv(", codes translated {0} {1}", mend.translations,
                    mend.translations == 1 ? "time" : "times");
  if (mend.gathers)
    text += " by a gather";
  if (!mend.gatherReason.empty())
    text += " (" + mend.gatherReason + ")";
  if (mend.termsAfter != mend.termsBefore)
    text += formatv(", {0} to {1} products", mend.termsBefore, mend.termsAfter);
  if (mend.isLossless())
    return text + ": no sum changes";
  text += formatv(": {0} of {1} weights change, by {2} at most, {3:f2}% in l2; "
                  "sums by {4} at most",
                  mend.weightsChanged, mend.weights, mend.largestChange,
                  100 * mend.relativeError, a2q::toString(mend.sumChange));
  if (mend.rescaledChannels)
    text += formatv("; {0} channels have other scales", mend.rescaledChannels);
  if (mend.sevenBitChannels)
    text += formatv(", {0} of them 7 bits", mend.sevenBitChannels);
  return text;
}

static void writeFix(const SaturationFix &fix, raw_ostream &os) {
  if (fix.layers.empty())
    os << "nothing to mend\n";
  for (const LayerMend &mend : fix.layers)
    os << mend.name << ": mended: " << describe(mend) << '\n';
}

void a2q::writeTable(const SaturationReport &report, raw_ostream &os) {
  if (report.layers.empty()) {
    os << "no quantized layers\n";
    return;
  }
  if (report.fix)
    writeFix(*report.fix, os);
  os << formatv("{0,-24} {1,7} {2,11} {3,8} {4,12}  {5}\n", "layer", "K",
                "channels", "pairs", "worst error", "answer");
  std::array<int64_t, 3> counts = {};
  for (const LayerSaturation &layer : report.layers) {
    writeRow(layer, os);
    ++counts[static_cast<size_t>(layer.answer)];
  }
  for (auto [index, layer] : enumerate(report.layers))
    writeDetails(layer,
                 report.witnessFiles.empty()
                     ? StringRef()
                     : StringRef(report.witnessFiles[index]),
                 os);
  os << formatv("{0}: {1} safe, {2} unsafe, {3} unknown; ", report.isa,
                counts[0], counts[1], counts[2]);
  if (report.observedRuns)
    os << formatv("ranges observed on {0} runs, not proven\n",
                  *report.observedRuns);
  else
    os << (report.byType ? "ranges of the types\n" : "ranges proven\n");
}
