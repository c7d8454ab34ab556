"""Pretext tasks, each put together in one file from an encoder, transforms and losses."""

from jssl.methods.autoencoder import autoencoder
from jssl.methods.barlow_twins import barlow_twins
from jssl.methods.bert import bert
from jssl.methods.byol import byol
from jssl.methods.classifier import classifier
from jssl.methods.clm import clm
from jssl.methods.colorization import colorization
from jssl.methods.data2vec import data2vec
from jssl.methods.deepcluster import deepcluster
from jssl.methods.deepcluster_v2 import deepcluster_v2
from jssl.methods.dino import dino
from jssl.methods.dinov2 import dinov2
from jssl.methods.electra import electra
from jssl.methods.ibot import ibot
from jssl.methods.ijepa import ijepa
from jssl.methods.jigsaw import jigsaw
from jssl.methods.lejepa import lejepa
from jssl.methods.mae import mae
from jssl.methods.mlm import mlm
from jssl.methods.moco import moco
from jssl.methods.msn import msn
from jssl.methods.nnclr import nnclr
from jssl.methods.rotation import rotation
from jssl.methods.simclr import simclr
from jssl.methods.simcse import simcse
from jssl.methods.similarity import similarity
from jssl.methods.simmim import simmim
from jssl.methods.simsiam import simsiam
from jssl.methods.swav import swav
from jssl.methods.tagger import tagger
from jssl.methods.tico import tico
from jssl.methods.tsdae import tsdae
from jssl.methods.vicreg import vicreg

__all__ = [
    "autoencoder",
    "barlow_twins",
    "bert",
    "byol",
    "classifier",
    "clm",
    "colorization",
    "data2vec",
    "deepcluster",
    "deepcluster_v2",
    "dino",
    "dinov2",
    "electra",
    "ibot",
    "ijepa",
    "jigsaw",
    "lejepa",
    "mae",
    "mlm",
    "moco",
    "msn",
    "nnclr",
    "rotation",
    "simclr",
    "simcse",
    "similarity",
    "simmim",
    "simsiam",
    "swav",
    "tagger",
    "tico",
    "tsdae",
    "vicreg",
]
