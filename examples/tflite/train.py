# Part of the a2q project, under the Apache License v2.0 with LLVM Exceptions.
# See the LICENSE file for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trains the network of this folder and quantizes it as TensorFlow does.

    train.py [digits.tflite]

Needs tensorflow and scikit-learn (PyPI); takes a minute on one core. The images
are those of ../digits: scikit-learn's copy of the UCI digits, split by the same
permutation.
"""

import sys

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

digits = load_digits()
order = np.random.RandomState(0).permutation(len(digits.images))
images = digits.images[order].astype(np.float32)[..., None]
labels = digits.target[order]
train, test = slice(0, 1437), slice(1437, None)


def network():
    """Every kind of layer that converted networks are made of."""
    layers = tf.keras.layers
    x = inputs = layers.Input((8, 8, 1))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    # A separable convolution as in MobileNet.
    x = layers.DepthwiseConv2D(3, strides=2, padding="same")(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(6.0)(x)
    x = layers.Conv2D(32, 1, activation="relu")(x)
    # A residual block as in ResNet.
    y = layers.Conv2D(32, 3, padding="same")(x)
    x = layers.Add()([x, y])
    x = layers.ReLU()(x)
    # Upwards and down again, as decoders do.
    x = layers.Conv2DTranspose(16, 2, strides=2, activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.AveragePooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(10)(x)
    return tf.keras.Model(inputs, layers.Softmax()(x))


def main():
    tf.keras.utils.set_random_seed(0)
    model = network()
    model.compile(tf.keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy",
                  metrics=["accuracy"])
    model.fit(images[train], labels[train], epochs=20, batch_size=32, verbose=2)
    print("float:", model.evaluate(images[test], labels[test], verbose=0)[1])

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([images[i:i + 1]] for i in range(200))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with open(sys.argv[1] if len(sys.argv) > 1 else "digits.tflite", "wb") as f:
        f.write(converter.convert())


if __name__ == "__main__":
    main()
