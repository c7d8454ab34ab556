"""Text on the host: corpora, cleaning, tokenizers, and rows of tokens that `data.loader` reads.

    from jssl import data

    bible = data.text.web_bible()                         # comes with jssl: chapters of verses
    verses = [verse for chapter in bible.train for verse in chapter]
    texts = data.text.clean(verses, near=0.8).texts       # without duplicates and near duplicates

    tokenizer = data.text.train_wordpiece(texts, size=8_000)
    # or a published one:  data.text.load_tokenizer("all-MiniLM-L6-v2/vocab.txt")

    rows = data.text.packed(texts, tokenizer, length=128)  # {"tokens": int32 [128], "segments": int32 [128]}
    batches = data.loader(rows, batch_size=64, seed=0)     # shuffled, resumable, on any number of hosts

Strings come in lists: `read_lines`, `read_documents`, `read_jsonl`, `texts` (of a TFDS source), `clean`; a
whole file is `read_text`.
Tokenizers: `train_wordpiece`, `train_bpe`, `train_unigram`, `load_tokenizer`, `byte_tokenizer` and
`character_tokenizer` give a `Tokenizer`. Rows, all int32, padded at the end:

* `encoded`: one text a row, from [CLS] to [SEP], with labels; for classification and sentence embeddings.
* `tagged`: one sentence a row, with a label for each word.
* `packed`: whole documents side by side in a row, kept apart by "segments"; for masked and causal models.
* `split`: one long text cut into full rows; for causal models, as GPT-2.
* `windows`: every span of one long text; for small causal models, as nanoGPT.
* `passages`: consecutive sentences of one document; for next-sentence and sentence-order prediction.

A corpus that is larger than the memory is tokenized once, by `store`, into a folder; `stored` opens it for
`packed`, `split`, `windows` and `passages`.
"""

from jssl.data.text.bible import Corpus, web_bible
from jssl.data.text.cleaning import Cleaned, Report, clean, tidy
from jssl.data.text.encode import encoded, joined, split
from jssl.data.text.files import read_documents, read_jsonl, read_lines, read_text, stream_documents, texts
from jssl.data.text.load import load_tokenizer
from jssl.data.text.near import near_duplicates
from jssl.data.text.packing import first_fit, packed
from jssl.data.text.passages import passages
from jssl.data.text.rows import windows
from jssl.data.text.special import Special
from jssl.data.text.stored import Stored, store, stored
from jssl.data.text.symbols import byte_tokenizer, character_tokenizer
from jssl.data.text.tagging import tagged
from jssl.data.text.tokenizer import Tokenizer
from jssl.data.text.train import train_bpe, train_unigram, train_wordpiece

__all__ = [
    "Cleaned",
    "Corpus",
    "Report",
    "Special",
    "Stored",
    "Tokenizer",
    "byte_tokenizer",
    "character_tokenizer",
    "clean",
    "encoded",
    "first_fit",
    "joined",
    "load_tokenizer",
    "near_duplicates",
    "packed",
    "passages",
    "read_documents",
    "read_jsonl",
    "read_lines",
    "read_text",
    "split",
    "store",
    "stored",
    "stream_documents",
    "tagged",
    "texts",
    "tidy",
    "train_bpe",
    "train_unigram",
    "train_wordpiece",
    "web_bible",
    "windows",
]
