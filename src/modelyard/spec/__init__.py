"""What users declare: parsing, validation, JSON Schema, and the fingerprints of what is declared."""

from modelyard.spec.load import Project, load
from modelyard.spec.schema import json_schema
from modelyard.spec.types import Spec
from modelyard.spec.variables import expand

__all__ = ["Project", "Spec", "expand", "json_schema", "load"]
