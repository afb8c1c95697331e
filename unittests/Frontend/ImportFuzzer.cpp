//===- ImportFuzzer.cpp - Any bytes to the ONNX importer ------------------===//
//
// Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
// See the LICENSE file for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whatever the bytes are, the importer gives a module that verifies or exactly
// one error. The preset `fuzz` links libFuzzer:
//
//   cmake --preset fuzz
//   cmake --build --preset fuzz --target a2q-import-fuzzer
//   build/fuzz/unittests/Frontend/a2q-import-fuzzer CORPUS...
//
// Other builds try each file of the folders that are given, which is how the
// corpus is a test; with --spoil=N also N copies of each, cut off somewhere or
// with some bits turned.
//
//===----------------------------------------------------------------------===//

#include "a2q/Frontend/ONNX/Import.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstdio>
#include <cstdlib>
#include <random>

using namespace mlir;

[[noreturn]] static void stop(llvm::StringRef why) {
  llvm::errs() << why << "\n";
  std::abort();
}

/// Loading dialects takes longer than most imports: a context serves many, but
/// not all, because it keeps their types.
static MLIRContext &sharedContext() {
  static std::unique_ptr<MLIRContext> context;
  static unsigned uses = 0;
  if (uses++ % 128 == 0)
    context = std::make_unique<MLIRContext>(MLIRContext::Threading::DISABLED);
  return *context;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  MLIRContext &context = sharedContext();
  unsigned errors = 0;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    errors += diagnostic.getSeverity() == DiagnosticSeverity::Error;
    return success();
  });
  // External data would lie beside this, where nothing is.
  llvm::MemoryBufferRef bytes(
      llvm::StringRef(reinterpret_cast<const char *>(data), size),
      "no-such-folder/model.onnx");
  OwningOpRef<ModuleOp> module = a2q::importONNX(bytes, &context);
  if (module && (errors || failed(verify(*module))))
    stop("a module that does not verify, or with an error");
  if (!module && errors != 1)
    stop("refused with " + std::to_string(errors) + " errors");
  return 0;
}

#ifndef A2Q_LIBFUZZER
static unsigned tried = 0, spoilt = 0;

static void tryBytes(llvm::StringRef bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(bytes.data()),
                         bytes.size());
  ++tried;
}

/// The same copies whenever and wherever it runs.
static void trySpoilt(llvm::StringRef bytes) {
  std::mt19937 random(static_cast<unsigned>(bytes.size()));
  for (unsigned copy = 0; copy < spoilt && !bytes.empty(); ++copy) {
    std::string changed = bytes.str();
    if (copy % 4 == 0)
      changed.resize(random() % bytes.size());
    else
      for (unsigned bits = copy % 4; bits > 0; --bits)
        changed[random() % changed.size()] ^= 1 << random() % 8;
    tryBytes(changed);
  }
}

static void tryFile(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    stop("cannot read " + path.str());
  llvm::errs() << path << "\n"; // the last one is the one that failed
  llvm::StringRef bytes = (*buffer)->getBuffer();
  tryBytes(bytes);
  trySpoilt(bytes);
}

int main(int count, char **arguments) {
  for (int i = 1; i < count; ++i) {
    llvm::StringRef option = arguments[i];
    if (option.consume_front("--spoil=")) {
      if (option.getAsInteger(10, spoilt))
        stop("--spoil=N takes a number");
      continue;
    }
    if (!llvm::sys::fs::is_directory(arguments[i])) {
      tryFile(arguments[i]);
      continue;
    }
    std::error_code error;
    for (llvm::sys::fs::recursive_directory_iterator entry(arguments[i], error),
         end;
         entry != end && !error; entry.increment(error))
      if (llvm::sys::fs::is_regular_file(entry->path()))
        tryFile(entry->path());
  }
  std::printf("%u models\n", tried);
  return tried == 0;
}
#endif
