"""Thin handlers: parse, guard, call one flow, answer."""
