"""The demo's shop: a small operational database, made on the spot, with the traps of real ones."""

from mainstem.demo.shop import build_shop
from mainstem.demo.truths import Truths, truths

__all__ = ["Truths", "build_shop", "truths"]
