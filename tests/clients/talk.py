"""A customer and an agent on python-socketio: python talk.py ADDRESS TRANSPORTS CUSTOMER AGENT FORGED

TRANSPORTS is one or more, with commas between; the last three are tokens, the last of them is no good.
Prints what each was in the end, in one line; whatever goes wrong is an exception.
"""

import queue
import sys

import socketio

PATIENCE_S = 20


class Client:
    """A connection to a namespace, and what it heard."""

    def __init__(self, address, token, transports, namespace="/"):
        self.namespace = namespace
        self.heard = queue.Queue()
        self.io = socketio.Client(reconnection=False)
        self.io.on("*", lambda event, *told: self.heard.put((event, *told)), namespace=namespace)
        self.io.connect(
            address,
            auth={"token": token},
            transports=transports,
            namespaces=[namespace],
            wait_timeout=PATIENCE_S,
        )

    def do(self, event, data):
        answer = self.io.call(event, data, namespace=self.namespace, timeout=PATIENCE_S)
        assert answer["success"] is True, (event, answer)
        return answer

    def hears(self, event, wanted):
        while True:
            name, told = self.heard.get(timeout=PATIENCE_S)
            if name == event and wanted(told):
                return told


def desk(address, transports, customer, agent):
    """Both sides on `/`."""
    visitor = Client(address, customer, transports)
    support = Client(address, agent, transports)
    session = {"session_id": visitor.do("chat:start", {})["session"]["id"]}
    support.do("chat:accept", session)
    for speaker, listener, text in [
        (visitor, support, "a question, with ü and 𝄞"),
        (support, visitor, "an answer"),
    ]:
        speaker.do("chat:send_message", {**session, "content": text})
        listener.hears("chat:new_message", lambda told: told["message"]["content"] == text)
    support.do("chat:end", session)
    visitor.hears("chat:ended", lambda told: told["session_id"] == session["session_id"])
    used = {visitor.io.transport(), support.io.transport()}
    visitor.io.disconnect()
    support.io.disconnect()
    return used


def shop(address, transports, customer):
    """Into `/chat` and out again."""
    shopper = Client(address, customer, transports, "/chat")
    answer = shopper.io.call("register", {"userId": "?"}, namespace="/chat", timeout=PATIENCE_S)
    assert answer["success"] is False, answer
    shopper.io.disconnect()


def refused(address, transports, forged):
    """Nobody comes in with another token."""
    try:
        Client(address, forged, transports)
    except socketio.exceptions.ConnectionError as error:
        return str(error)
    raise AssertionError("a forged token was taken")


def main():
    address, transports, customer, agent, forged = sys.argv[1:]
    transports = transports.split(",")
    used = desk(address, transports, customer, agent)
    shop(address, transports, customer)
    print("talked over", *sorted(used))
    print("refused:", refused(address, transports, forged))


if __name__ == "__main__":
    main()
