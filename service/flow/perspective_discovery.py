"""The discovery document, by which Google's own clients learn the methods and their fields from us."""

from __future__ import annotations

from typing import Any, Final

VERSION: Final = "v1alpha1"
_STRING: Final = {"type": "string"}
_BOOLEAN: Final = {"type": "boolean"}
_NUMBER: Final = {"type": "number", "format": "float"}
_INTEGER: Final = {"type": "integer", "format": "int32"}
_TYPE: Final = {"type": "string", "enum": ["SCORE_TYPE_UNSPECIFIED", "PROBABILITY"]}


def discovery(url: str) -> dict[str, Any]:
    """Answer the document of a service at a URL."""
    root = url.rstrip("/") + "/"
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": f"commentanalyzer:{VERSION}",
        "name": "commentanalyzer",
        "canonicalName": "Comment Analyzer",
        "version": VERSION,
        "revision": "20261101",
        "title": "Colloquy, as the Perspective Comment Analyzer API",
        "description": "Scores of texts, in the words of the Perspective Comment Analyzer API.",
        "protocol": "rest",
        "ownerDomain": "",
        "ownerName": "",
        "documentationLink": root,
        "rootUrl": root,
        "baseUrl": root,
        "servicePath": "",
        "basePath": "",
        "batchPath": "batch",
        "fullyEncodeReservedExpansion": True,
        "parameters": _parameters(),
        "schemas": _schemas(),
        "resources": {
            "comments": {
                "methods": {
                    "analyze": _method("analyze", "AnalyzeComment", "Scores a comment."),
                    "suggestscore": _method("suggestscore", "SuggestCommentScore", "Suggests scores for a comment."),
                }
            }
        },
    }


def _method(name: str, kind: str, text: str) -> dict[str, Any]:
    path = f"{VERSION}/comments:{name}"
    return {
        "id": f"commentanalyzer.comments.{name}",
        "path": path,
        "flatPath": path,
        "httpMethod": "POST",
        "description": text,
        "parameters": {},
        "parameterOrder": [],
        "request": {"$ref": f"{kind}Request"},
        "response": {"$ref": f"{kind}Response"},
    }


def _parameters() -> dict[str, Any]:
    def query(text: str, **more: Any) -> dict[str, Any]:
        return {"type": "string", "location": "query", "description": text, **more}

    return {
        "key": query("API key."),
        "scale": query("On which scale values are told.", enum=["perspective", "probability"]),
        "alt": query("Data format for response.", default="json", enum=["json", "media", "proto"]),
        "callback": query("JSONP; not served."),
        "fields": query("Not looked at."),
        "quotaUser": query("Not looked at."),
        "access_token": query("Not looked at."),
        "oauth_token": query("Not looked at."),
        "uploadType": query("Not looked at."),
        "upload_protocol": query("Not looked at."),
        "prettyPrint": {"type": "boolean", "location": "query", "default": "true", "description": "Not looked at."},
        "$.xgafv": query("Not looked at.", enum=["1", "2"]),
    }


def _schemas() -> dict[str, Any]:
    return {
        **_common(),
        "AnalyzeCommentRequest": _object(
            "AnalyzeCommentRequest",
            comment=_ref("TextEntry"),
            context=_ref("Context"),
            requestedAttributes=_map("AttributeParameters"),
            languages=_list(_STRING),
            doNotStore=_BOOLEAN,
            spanAnnotations=_BOOLEAN,
            clientToken=_STRING,
            sessionId=_STRING,
            communityId=_STRING,
            dropUnsupportedAttributes=_BOOLEAN,
        ),
        "AnalyzeCommentResponse": _object(
            "AnalyzeCommentResponse",
            attributeScores=_map("AttributeScores"),
            languages=_list(_STRING),
            detectedLanguages=_list(_STRING),
            clientToken=_STRING,
        ),
        "SuggestCommentScoreRequest": _object(
            "SuggestCommentScoreRequest",
            comment=_ref("TextEntry"),
            context=_ref("Context"),
            attributeScores=_map("AttributeScores"),
            languages=_list(_STRING),
            doNotStore=_BOOLEAN,
            clientToken=_STRING,
            sessionId=_STRING,
            communityId=_STRING,
            dropUnsupportedAttributes=_BOOLEAN,
        ),
        "SuggestCommentScoreResponse": _object(
            "SuggestCommentScoreResponse",
            clientToken=_STRING,
            detectedLanguages=_list(_STRING),
            requestedLanguages=_list(_STRING),
        ),
    }


def _common() -> dict[str, Any]:
    text_type = {"type": "string", "enum": ["TEXT_TYPE_UNSPECIFIED", "PLAIN_TEXT", "HTML"]}
    return {
        "TextEntry": _object("TextEntry", text=_STRING, type=text_type),
        "ArticleAndParentComment": _object(
            "ArticleAndParentComment", article=_ref("TextEntry"), parentComment=_ref("TextEntry")
        ),
        "Context": _object(
            "Context",
            entries=_list(_ref("TextEntry")),
            articleAndParentComment=_ref("ArticleAndParentComment"),
        ),
        "AttributeParameters": _object("AttributeParameters", scoreType=_TYPE, scoreThreshold=_NUMBER),
        "Score": _object("Score", value=_NUMBER, type=_TYPE),
        "SpanScore": _object("SpanScore", begin=_INTEGER, end=_INTEGER, score=_ref("Score")),
        "AttributeScores": _object("AttributeScores", summaryScore=_ref("Score"), spanScores=_list(_ref("SpanScore"))),
    }


def _object(name: str, **properties: Any) -> dict[str, Any]:
    return {"id": name, "type": "object", "properties": properties}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": name}


def _list(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _map(name: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": _ref(name)}
