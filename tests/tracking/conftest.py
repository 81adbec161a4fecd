import pytest


@pytest.fixture
def study(request, client):
    return request.node.name
