# SPDX-License-Identifier: Apache-2.0
"""Answers to questions about a story, each read by an RNN: after Keras 2's examples/babi_rnn.py."""

import re

import numpy as np
from keras import layers
from keras.layers import recurrent
from keras.layers.embeddings import Embedding
from keras.models import Model
from keras.preprocessing.sequence import pad_sequences

LINES = """1 Mary moved to the bathroom.
2 John went to the hallway.
3 Where is Mary? 	bathroom	1
4 Daniel went back to the hallway.
5 Sandra moved to the garden.
6 Where is Daniel? 	hallway	4
1 John travelled to the office.
2 Where is John? 	office	1
3 Mary went to the garden.
4 Where is Mary? 	garden	3"""
RNN = recurrent.LSTM
EMBED_HIDDEN_SIZE = SENT_HIDDEN_SIZE = QUERY_HIDDEN_SIZE = 10


def tokenize(sent):
    return [x.strip() for x in re.split(r"(\W+)", sent) if x.strip()]


def parse_stories(lines):
    data, story = [], []
    for line in lines:
        nid, line = line.split(" ", 1)
        if int(nid) == 1:
            story = []
        if "\t" in line:
            q, a, _ = line.split("\t")
            data.append(([word for sentence in story for word in sentence], tokenize(q), a))
        else:
            story.append(tokenize(line))
    return data


def main(begin):
    stories = parse_stories(LINES.split("\n")) * 6
    vocab = sorted(set().union(*(story + q + [answer] for story, q, answer in stories)))
    word_idx = {c: i + 1 for i, c in enumerate(vocab)}
    vocab_size = len(vocab) + 1
    story_maxlen = max(len(story) for story, _, _ in stories)
    query_maxlen = max(len(q) for _, q, _ in stories)
    x = pad_sequences([[word_idx[w] for w in story] for story, _, _ in stories], maxlen=story_maxlen)
    xq = pad_sequences([[word_idx[w] for w in q] for _, q, _ in stories], maxlen=query_maxlen)
    y = np.zeros((len(stories), vocab_size))
    for i, (_, _, answer) in enumerate(stories):
        y[i, word_idx[answer]] = 1

    sentence = layers.Input(shape=(story_maxlen,), dtype="int32")
    encoded_sentence = Embedding(vocab_size, EMBED_HIDDEN_SIZE)(sentence)
    encoded_sentence = RNN(SENT_HIDDEN_SIZE)(encoded_sentence)
    question = layers.Input(shape=(query_maxlen,), dtype="int32")
    encoded_question = Embedding(vocab_size, EMBED_HIDDEN_SIZE)(question)
    encoded_question = RNN(QUERY_HIDDEN_SIZE)(encoded_question)
    merged = layers.concatenate([encoded_sentence, encoded_question])
    preds = layers.Dense(vocab_size, activation="softmax")(merged)

    model = Model([sentence, question], preds)
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    begin(model)
    history = model.fit([x, xq], y, batch_size=8, epochs=4, validation_split=0.25, shuffle=False, verbose=0)
    return {"history": history.history, "predictions": model.predict([x, xq])}
