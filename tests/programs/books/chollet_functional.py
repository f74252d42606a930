# SPDX-License-Identifier: Apache-2.0
"""Two inputs, three heads, and one LSTM for two sides: after chapter 7 of Chollet's "Deep Learning with Python"."""

import numpy as np
from keras import Input, layers
from keras.models import Model

text_vocabulary_size, question_vocabulary_size, answer_vocabulary_size = 30, 25, 12


def question_answering(begin, rng):
    text_input = Input(shape=(None,), dtype="int32", name="text")
    embedded_text = layers.Embedding(text_vocabulary_size, 8)(text_input)
    encoded_text = layers.LSTM(10)(embedded_text)
    question_input = Input(shape=(None,), dtype="int32", name="question")
    embedded_question = layers.Embedding(question_vocabulary_size, 8)(question_input)
    encoded_question = layers.LSTM(6)(embedded_question)
    concatenated = layers.concatenate([encoded_text, encoded_question], axis=-1)
    answer = layers.Dense(answer_vocabulary_size, activation="softmax")(concatenated)
    model = Model([text_input, question_input], answer)
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["acc"])
    begin(model)
    text = rng.randint(1, text_vocabulary_size, size=(40, 9))
    question = rng.randint(1, question_vocabulary_size, size=(40, 5))
    answers = np.eye(answer_vocabulary_size)[rng.randint(0, answer_vocabulary_size, size=40)]
    first = model.fit([text, question], answers, epochs=1, batch_size=8, shuffle=False, verbose=0)
    second = model.fit({"text": text, "question": question}, answers, epochs=1, batch_size=8, shuffle=False, verbose=0)
    return [first.history, second.history, model.predict([text, question])]


def posts(begin, rng):
    posts_input = Input(shape=(None,), dtype="int32", name="posts")
    embedded_posts = layers.Embedding(30, 8)(posts_input)
    x = layers.Conv1D(8, 5, activation="relu")(embedded_posts)
    x = layers.MaxPooling1D(2)(x)
    x = layers.Conv1D(10, 3, activation="relu")(x)
    x = layers.GlobalMaxPooling1D()(x)
    x = layers.Dense(8, activation="relu")(x)
    age_prediction = layers.Dense(1, name="age")(x)
    income_prediction = layers.Dense(4, activation="softmax", name="income")(x)
    gender_prediction = layers.Dense(1, activation="sigmoid", name="gender")(x)
    model = Model(posts_input, [age_prediction, income_prediction, gender_prediction])
    model.compile(optimizer="rmsprop", loss=["mse", "categorical_crossentropy", "binary_crossentropy"],
                  loss_weights=[0.25, 1.0, 10.0])
    begin(model)
    texts = rng.randint(1, 30, (32, 24))
    targets = {"age": rng.randint(18, 60, 32) / 10, "income": np.eye(4)[rng.randint(0, 4, 32)],
               "gender": rng.randint(0, 2, 32)}
    in_order = [targets["age"], targets["income"], targets["gender"]]
    history = model.fit(texts, in_order, epochs=2, batch_size=8, shuffle=False, verbose=0)
    return [history.history["loss"], model.predict(texts)]


def siamese(begin, rng):
    lstm = layers.LSTM(8)
    left_input = Input(shape=(None, 6))
    left_output = lstm(left_input)
    right_input = Input(shape=(None, 6))
    right_output = lstm(right_input)
    merged = layers.concatenate([left_output, right_output], axis=-1)
    predictions = layers.Dense(1, activation="sigmoid")(merged)
    model = Model([left_input, right_input], predictions)
    model.compile(optimizer="rmsprop", loss="binary_crossentropy")
    begin(model)
    left_data, right_data = rng.normal(size=(2, 32, 5, 6))
    targets = rng.randint(0, 2, 32)
    history = model.fit([left_data, right_data], targets, epochs=2, batch_size=8, shuffle=False, verbose=0)
    return [history.history, model.predict([left_data, right_data])]


def main(begin):
    rng = np.random.RandomState(24)
    return {"question": question_answering(begin, rng), "posts": posts(begin, rng), "siamese": siamese(begin, rng)}
