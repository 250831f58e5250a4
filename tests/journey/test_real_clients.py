"""Clients of other APIs as their users install them, pointed at a real installation: answers and errors."""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from googleapiclient import discovery
from googleapiclient.errors import HttpError

from tests.journey.harness import Installation
from tests.leaks import plant
from tests.programs import need_program
from tests.service.coral import SECRET, encoded, read, request_of, signed

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CIVIL = "I think the trams should run later in the evening, and so should the buses."
RUDE = "You are an idiot, and everybody in this town knows it by now."
GERMAN = "Der Zug kommt heute leider wieder viel zu spät, und niemand sagt den Leuten warum."
PAGE = Path(__file__).parent.parent.parent / "docs/perspective.md"
NPM_CLIENT = "perspective-api-client@3.1.0"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for the module, in which its installation lives."""
    return "asyncio"


@pytest.fixture(scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """An installation with the shipped model, which scores."""
    async with Installation(tmp_path_factory.mktemp("clients") / "home") as installation:
        await installation.start()
        yield installation


async def new_key(here: Installation, **fields: Any) -> str:
    """A key with the scope `analyze`, as an admin makes one."""
    answer = await here.client.post(
        "/v1/admin/sites/demo/keys",
        json={"name": "client", "scopes": ["analyze"], **fields},
        headers={"authorization": f"Bearer {here.demo['admin_token']}"},
    )
    assert answer.status_code == 201, answer.text
    token = str(answer.json()["token"])
    plant(token)
    return token


def google(here: Installation, key: str) -> Any:
    """The client that Google's documentation tells to make, with the one URL changed."""
    return discovery.build(
        "commentanalyzer",
        "v1alpha1",
        developerKey=key,
        discoveryServiceUrl=f"{here.url}/$discovery/rest?version=v1alpha1",
        static_discovery=False,
    )


async def test_googles_client_discovers_and_analyzes(here: Installation) -> None:
    """`google-api-python-client` builds itself from our discovery document, and reads scores, spans and languages."""
    key = await new_key(here)

    def talk() -> Any:
        with google(here, key) as client:
            wanted = {"TOXICITY": {}, "INSULT": {"scoreThreshold": 0.0}, "PROFANITY": {}}
            text = f"{CIVIL} {RUDE}"
            body = {"comment": {"text": text}, "requestedAttributes": wanted, "spanAnnotations": True}
            return client.comments().analyze(body={**body, "doNotStore": True, "clientToken": "mine"}).execute()

    found = await asyncio.to_thread(talk)
    toxicity = found["attributeScores"]["TOXICITY"]
    assert toxicity["summaryScore"]["type"] == "PROBABILITY"
    assert toxicity["summaryScore"]["value"] > 0.5
    assert len(toxicity["spanScores"]) == 2
    first, second = (span["score"]["value"] for span in toxicity["spanScores"])
    assert first < second
    assert (found["detectedLanguages"], found["clientToken"]) == (["en"], "mine")
    assert {"TOXICITY", "INSULT", "PROFANITY"} == set(found["attributeScores"])


async def test_googles_client_suggests_a_score(here: Installation) -> None:
    """`suggestscore` takes the label that a moderator's decision is."""
    key = await new_key(here)

    def talk() -> Any:
        with google(here, key) as client:
            scores = {"TOXICITY": {"summaryScore": {"value": 0}}}
            body = {"comment": {"text": CIVIL}, "attributeScores": scores, "clientToken": "comment:1"}
            return client.comments().suggestscore(body=body).execute()

    found = await asyncio.to_thread(talk)
    assert found["clientToken"] == "comment:1"


async def test_googles_client_reads_our_errors(here: Installation) -> None:
    """Each refusal is the exception that users of the client catch, with the status and the words of Google's."""
    key = await new_key(here)

    def fails(key: str, **body: Any) -> HttpError:
        with google(here, key) as client, pytest.raises(HttpError) as caught:
            client.comments().analyze(body=body).execute()
        return caught.value

    def talk() -> list[HttpError]:
        toxicity: dict[str, dict[str, Any]] = {"TOXICITY": {}}
        return [
            fails(key, comment={"text": ""}, requestedAttributes=toxicity),
            fails(key, comment={"text": CIVIL}, requestedAttributes={}),
            fails(key, comment={"text": CIVIL}, requestedAttributes={"FLIRTATION": {}}),
            fails(key, comment={"text": "long " * 5000}, requestedAttributes=toxicity),
            fails(key, comment={"text": GERMAN}, requestedAttributes=toxicity),
            fails("cq_of-nobody", comment={"text": CIVIL}, requestedAttributes=toxicity),
        ]

    errors = await asyncio.to_thread(talk)
    assert {error.resp.status for error in errors} == {400}
    empty, nothing, unknown, long, german, stranger = errors
    assert [error.error_details[0]["errorType"] for error in errors[:5]] == [
        "COMMENT_EMPTY", "NO_REQUESTED_ATTRIBUTES", "INVALID_REQUEST", "COMMENT_TOO_LONG",
        "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
    ]  # fmt: skip
    assert "Comment must be non-empty" in empty.reason
    assert "FLIRTATION" in unknown.reason
    assert "exceeded limit" in long.reason
    assert "API key not valid" in stranger.reason
    assert nothing.reason
    assert german.error_details[0]["languageNotSupportedByAttributeError"]["detectedLanguages"] == ["de"]


async def test_googles_client_is_told_that_its_quota_is_used_up(here: Installation) -> None:
    """Over the key's quota the client raises its error for 429, after which it may be told to try again."""
    key = await new_key(here, per_minute=1)

    def talk() -> HttpError:
        with google(here, key) as client:
            call = client.comments().analyze(body={"comment": {"text": CIVIL}, "requestedAttributes": {"TOXICITY": {}}})
            call.execute()
            with pytest.raises(HttpError) as caught:
                call.execute(num_retries=0)
        return caught.value

    error = await asyncio.to_thread(talk)
    assert error.resp.status == 429
    assert int(error.resp["retry-after"]) >= 1


#: What clients that were not installed here send, as their code says; each reads `summaryScore.value`, R spans too.
RECORDED: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "Discourse's plugin": (
        {"accept": "*/*", "content-type": "application/json", "user-agent": "Discourse/3.6.0"},
        {"doNotStore": True, "sessionId": "https://forum.example_7", "scoreType": "PROBABILITY"},
    ),
    "peRspective": ({"content-type": "application/json"}, {}),
    "a script without a content type": ({"content-type": "application/x-www-form-urlencoded"}, {"languages": ["en"]}),
}


@pytest.mark.parametrize("client", RECORDED)
async def test_other_clients_requests_are_answered(here: Installation, client: str) -> None:
    """Requests as other clients' code writes them are answered with what that code reads."""
    headers, more = RECORDED[client]
    kind = {"scoreType": more["scoreType"]} if "scoreType" in more else {}
    body = {"comment": {"text": RUDE}, "requestedAttributes": {"TOXICITY": kind}}
    body |= {name: value for name, value in more.items() if name != "scoreType"}
    path = f"/v1alpha1/comments:analyze?key={await new_key(here)}"
    answer = await here.client.post(path, content=json.dumps(body), headers=headers)
    assert answer.status_code == 200, answer.text
    found = answer.json()["attributeScores"]["TOXICITY"]
    assert found["summaryScore"]["value"] > 0.5
    assert found["spanScores"][0]["score"]["value"] == found["summaryScore"]["value"]


#: What somebody who uses the client adds to it: its URL is a constant, so the host is changed where it is sent.
NODE = """
const axios = require("axios");
const Perspective = require("perspective-api-client");
const [url, key, ...asked] = process.argv.slice(2);
axios.interceptors.request.use((config) => {
  config.url = config.url.replace("https://commentanalyzer.googleapis.com", url);
  return config;
});
const perspective = new Perspective({apiKey: key});
(async () => {
  const told = [];
  for (const one of asked) {
    const {text, options} = JSON.parse(one);
    try {
      told.push({result: await perspective.analyze(text, options)});
    } catch (error) {
      told.push({error: {name: error.name, message: error.message, status: error.response && error.response.status}});
    }
  }
  console.log(JSON.stringify(told));
})();
"""


@pytest.fixture(scope="module")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the npm client is installed, as its users do."""
    need_program("npm", package="npm")
    need_program("node", package="nodejs")
    folder = tmp_path_factory.mktemp("node")
    (folder / "ask.js").write_text(NODE)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), NPM_CLIENT]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return folder


async def test_the_npm_client_analyzes_and_reads_our_errors(here: Installation, node_folder: Path) -> None:
    """`perspective-api-client`, run by node: scores of several attributes, HTML left out, and each refusal an error."""
    key = await new_key(here)

    def ask(key: str, *asked: dict[str, Any]) -> Any:
        command = ["node", str(node_folder / "ask.js"), here.url, key, *map(json.dumps, asked)]
        done = subprocess.run(command, cwd=node_folder, check=True, capture_output=True, timeout=60)
        return json.loads(done.stdout)

    rude, several, unknown, german = await asyncio.to_thread(
        ask,
        key,
        {"text": f"<p>{RUDE}</p>"},
        {"text": CIVIL, "options": {"attributes": ["toxicity", "threat"]}},
        {"text": CIVIL, "options": {"attributes": ["unsubstantial"]}},
        {"text": GERMAN},
    )
    assert rude["result"]["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 0.5
    assert set(several["result"]["attributeScores"]) == {"TOXICITY", "THREAT"}
    assert (unknown["error"]["name"], unknown["error"]["status"]) == ("ResponseError", 400)
    assert "UNSUBSTANTIAL" in unknown["error"]["message"]
    assert german["error"]["status"] == 400
    [stranger] = await asyncio.to_thread(ask, "cq_of-nobody", {"text": CIVIL})
    assert (stranger["error"]["status"], "API key not valid" in stranger["error"]["message"]) == (400, True)


def sdk(here: Installation, key: str) -> openai.OpenAI:
    """OpenAI's SDK with its base URL changed; it would try again by itself."""
    return openai.OpenAI(base_url=f"{here.url}/v1", api_key=key, max_retries=0)


async def test_openais_sdk_moderates(here: Installation) -> None:
    """The `openai` SDK reads our results as its own: one for each string, all 13 categories, and our header."""
    key = await new_key(here)

    def talk() -> Any:
        with sdk(here, key) as client:
            raw = client.moderations.with_raw_response.create(input=[CIVIL, RUDE], model="omni-moderation-latest")
            return raw.headers, raw.parse()

    headers, found = await asyncio.to_thread(talk)
    civil, rude = found.results
    assert (civil.flagged, rude.flagged) == (False, True)
    assert rude.categories.harassment is True
    assert rude.category_scores.harassment > 0.5 > civil.category_scores.harassment
    assert rude.category_applied_input_types.harassment == ["text"]
    assert rude.category_applied_input_types.self_harm == []
    assert (rude.categories.self_harm_intent, rude.category_scores.sexual_minors) == (False, 0.0)
    assert found.model == headers["x-colloquy-model"]
    assert found.id.startswith("modr-")


async def test_openais_sdk_raises_its_own_errors(here: Installation) -> None:
    """Each refusal is the exception that users of the SDK catch, with parameter and code."""
    key, tight = await new_key(here), await new_key(here, per_minute=1)

    def talk() -> None:
        with sdk(here, "sk-of-openai") as client, pytest.raises(openai.AuthenticationError) as wrong:
            client.moderations.create(input=CIVIL)
        assert wrong.value.code == "invalid_api_key"
        with sdk(here, str(here.demo["moderator_token"])) as client, pytest.raises(openai.PermissionDeniedError):
            client.moderations.create(input=CIVIL)
        with sdk(here, key) as client:
            image: Any = [{"type": "image_url", "image_url": {"url": "https://elsewhere.example/cat.png"}}]
            for asked, param, code in (
                (image, "input[0]", "unsupported_input_type"),
                ("", "input", "empty_string"),
                (GERMAN, "input", "unsupported_language"),
            ):
                with pytest.raises(openai.BadRequestError) as refused:
                    client.moderations.create(input=asked)
                assert (refused.value.param, refused.value.code) == (param, code)
        with sdk(here, tight) as client:
            client.moderations.create(input=CIVIL)
            with pytest.raises(openai.RateLimitError) as over:
                client.moderations.create(input=CIVIL)
        assert over.value.code == "rate_limit_exceeded"
        assert int(over.value.response.headers["retry-after"]) >= 1

    await asyncio.to_thread(talk)


FLAG = {"actionType": "FLAG", "reason": "COMMENT_DETECTED_TOXIC"}


def paste(url: str) -> Any:
    """Paste the page's example of asking as Coral does, and answer the JSON that it prints."""
    for program in ("curl", "openssl"):
        need_program(program, package=program)
    [script] = re.findall(r"^   ```sh\n(   BODY=.*?)^   ```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    script = script.replace("/sites/daily/", "/sites/demo/")
    known = {**os.environ, "URL": url, "SECRET": SECRET}
    return json.loads(subprocess.run(["sh", "-euc", script], env=known, check=True, capture_output=True).stdout)


async def test_a_coral_is_answered_by_a_real_installation(here: Installation) -> None:
    """Signed as Coral signs, comments are judged by the shipped model; with its worker gone still, or they are held."""
    admin = {"authorization": f"Bearer {here.demo['admin_token']}"}
    plant(SECRET)
    view = await here.client.put("/v1/admin/sites/demo/coral", json={"signing_secrets": [SECRET]}, headers=admin)
    assert view.json()["url"] == f"{here.url}/v1/sites/demo/coral", view.text

    async def ask(text: str) -> dict[str, Any]:
        body = encoded(request_of(text))
        return read(await here.client.post(view.json()["url"], content=body, headers=signed(body)))

    assert await ask(CIVIL) == {"actions": []}
    assert (await asyncio.to_thread(paste, here.url))["actions"] == [FLAG]
    told = await ask(RUDE)
    assert told["status"] in ("PREMOD", "REJECTED")
    assert told["actions"] == [FLAG]
    here.kill("service work")
    assert (await ask(RUDE))["status"] in ("PREMOD", "REJECTED")
    assert (await ask(CIVIL)).get("status") in (None, "PREMOD")
