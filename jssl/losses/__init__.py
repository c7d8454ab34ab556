"""Losses: plain functions of arrays, each like its paper's equation, computed in float32."""

from jssl.losses.classification import classification, classification_accuracy
from jssl.losses.clustering import swav, swav_codes
from jssl.losses.contrastive import contrastive_accuracy, dcl, info_nce, nt_xent
from jssl.losses.dino import dino, dino_center, dino_targets, ibot
from jssl.losses.koleo import koleo
from jssl.losses.msn import msn, msn_targets
from jssl.losses.pseudo_labels import pseudo_label
from jssl.losses.queued import moco, nnclr
from jssl.losses.reconstruction import masked_l1, masked_reconstruction, mean_squared_error, normalize_patches
from jssl.losses.redundancy import barlow_twins, barlow_twins_terms, vicreg, vicreg_terms
from jssl.losses.regression import cosine_regression, negative_cosine
from jssl.losses.sigreg import epps_pulley, lejepa, sigreg, view_invariance
from jssl.losses.smooth import smooth_l1
from jssl.losses.tico import tico, tico_covariance, tico_terms
from jssl.losses.tokens import TokenLoss, tied_cross_entropy, token_cross_entropy

__all__ = [
    "TokenLoss",
    "barlow_twins",
    "barlow_twins_terms",
    "classification",
    "classification_accuracy",
    "contrastive_accuracy",
    "cosine_regression",
    "dcl",
    "dino",
    "dino_center",
    "dino_targets",
    "epps_pulley",
    "ibot",
    "info_nce",
    "koleo",
    "lejepa",
    "masked_l1",
    "masked_reconstruction",
    "mean_squared_error",
    "moco",
    "msn",
    "msn_targets",
    "negative_cosine",
    "nnclr",
    "normalize_patches",
    "nt_xent",
    "pseudo_label",
    "sigreg",
    "smooth_l1",
    "swav",
    "swav_codes",
    "tico",
    "tico_covariance",
    "tico_terms",
    "tied_cross_entropy",
    "token_cross_entropy",
    "vicreg",
    "vicreg_terms",
    "view_invariance",
]
