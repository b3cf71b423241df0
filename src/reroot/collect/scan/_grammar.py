"""What the grammars of all languages call the things that matter: one table serves them all, since they call things alike."""

from __future__ import annotations

COMMENTS = frozenset({"comment", "line_comment", "block_comment", "multiline_comment"})
BODIES = frozenset(
    [
        "program",
        "module",
        "source_file",
        "block",
        "statement_block",
        "class_body",
        "declaration_list",
        "compilation_unit",
        "body_statement",
        "compound_statement",
        "constructor_body",
        "function_body",
        "class_declaration_list",
        "statements",
        "then",
        "do_block",
        "block_body",
        "switch_body",
        "namespace_declaration",
        "file_scoped_namespace_declaration",
        "global_statement",
        "interface_body",
        "enum_body",
        "object_body",
        "source",
    ]
)
SCOPES = frozenset(
    [
        "function_definition",
        "function_declaration",
        "method_definition",
        "method_declaration",
        "function_item",
        "method",
        "arrow_function",
        "function_expression",
        "class_definition",
        "class_declaration",
        "constructor_declaration",
        "singleton_method",
        "func_literal",
        "class",
        "impl_item",
        "object_declaration",
    ]
)
PAIRS: dict[str, tuple[str, str]] = {
    "pair": ("key", "value"),
    "keyword_argument": ("name", "value"),
    "default_parameter": ("name", "value"),
    "typed_default_parameter": ("name", "value"),
    "keyed_element": ("key", "value"),
    "element_value_pair": ("key", "value"),
    "assignment": ("left", "right"),
    "assignment_expression": ("left", "right"),
    "assignment_statement": ("left", "right"),
    "short_var_declaration": ("left", "right"),
    "augmented_assignment": ("left", "right"),
    "variable_declarator": ("name", "value"),
    "const_spec": ("name", "value"),
    "var_spec": ("name", "value"),
    "let_declaration": ("pattern", "value"),
    "const_item": ("name", "value"),
    "static_item": ("name", "value"),
    "field_initializer": ("field", "value"),
    "property_declaration": ("name", "value"),
    "public_field_definition": ("name", "value"),
    "array_element_initializer": ("", ""),
    "value_argument": ("", ""),
    "argument": ("name", ""),
    "property_element": ("", "default_value"),
    "const_element": ("", ""),
    "enum_assignment": ("name", "value"),
    "assignment_pattern": ("left", "right"),
    "required_parameter": ("pattern", "value"),
}
CALLS: dict[str, tuple[str, str]] = {
    "call": ("function", "arguments"),
    "call_expression": ("function", "arguments"),
    "new_expression": ("constructor", "arguments"),
    "method_invocation": ("name", "arguments"),
    "object_creation_expression": ("type", "arguments"),
    "invocation_expression": ("function", "arguments"),
    "function_call_expression": ("function", "arguments"),
    "member_call_expression": ("name", "arguments"),
    "scoped_call_expression": ("name", "arguments"),
    "macro_invocation": ("macro", ""),
    "implicit_object_creation_expression": ("", "arguments"),
}
CHOICES = frozenset(
    [
        "ternary_expression",
        "conditional_expression",
        "binary_expression",
        "logical_expression",
        "boolean_operator",
        "if_expression",
        "elvis_expression",
    ]
)
OBJECTS = frozenset(
    [
        "object",
        "dictionary",
        "hash",
        "composite_literal",
        "literal_value",
        "array_creation_expression",
        "initializer_expression",
        "struct_expression",
        "list",
        "array",
        "anonymous_object_creation_expression",
        "collection_expression",
    ]
)
