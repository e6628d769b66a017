"""A release in shadow: explained, promoted by a person, and rolled back again, from the command line."""

from __future__ import annotations

from shop_project import Shop


def test_a_person_promotes_what_is_in_shadow_and_goes_back(shop: Shop) -> None:
    path = shop.directory / "yard.yaml"
    text = path.read_text().replace("buys-api: {model: buys}", "buys-api: {model: buys, strategy: shadow}")
    path.write_text(text.replace("params: {C: 1.0}", "params: {C: 0.5}"))
    said = shop.yard("apply", "--yes", "--json", "--as-of", "2024-03-20")
    assert said.code == 0, said.out + said.err
    assert "buys@2 is tried: shadow" in str(said.json["waiting"])
    shown = shop.yard("release", "show", "buys@2", "--json").json
    assert shown["why"]["says"].startswith("buys@2 is tried in buys-api (shadow): in shadow until a person promotes it")
    (deployment,) = shop.yard("status", "--json").json["deployments"]
    assert [(each["arm"], each["release"]) for each in deployment["shadows"]] == [("challenger", "buys@2")]
    refused = shop.yard("release", "promote", "buys@1", "--json")
    assert refused.code == 1 and "not being tried" in refused.out + refused.err
    promoted = shop.yard("release", "promote", "buys@2", "--reason", "it agrees", "--json")
    assert promoted.code == 0 and "it agrees" in promoted.json["promoted"][0]
    assert shop.yard("status", "--json").json["deployments"][0]["release"] == "buys@2"
    told = shop.yard("release", "show", "buys@2").out
    assert "it agrees" in told and "trained on  all rows" in told
    assert shop.yard("release", "rollback", "buys-api", "--reason", "customers complain").code == 0
    assert shop.yard("status", "--json").json["deployments"][0]["release"] == "buys@1"
