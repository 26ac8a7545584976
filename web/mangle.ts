// Names that never leave the page, which the builds for visitors shorten. A name must not be here if
// it is also one of the browser's, of a frame, of a stored text, of a message to the loader, or if it
// is ever looked up by a text; `test/mangle.test.ts` looks for those.

/** What Preact asks components for. */
const PREACT = `
  componentDidCatch componentDidMount componentDidUpdate componentWillMount
  componentWillReceiveProps componentWillUnmount componentWillUpdate contextType debounceRendering
  forceUpdate getChildContext getDerivedStateFromError getDerivedStateFromProps
  getSnapshotBeforeUpdate setState shouldComponentUpdate props current
`;

const OURS = `
  adopt afresh announced anybodyOnline atEnd bytesMax cancelEdit cards changedElsewhere
  client clock conflicts devices discard doubt draft editLast expiresAt
  fetchOlder fetchRefused fresh fromEnd hasOlder holding identify introduce newId newer
  onApplied onBegun onChime onDiscard onDoubt onEvent onFrame onLate onLost onReady onRefused onRetry
  onUnread outbox outdated pauseMs peek pictures probe readings
  receipts reconnect settled stall startAgain takeOlder textBytes transmit
  trouble typed unfollow verified visit watching stage notice applied queued behind learn fold
  reading opened others oldest answers author card conversations follow forget keep mine onClose
  own picture reader refused run settings stored tell who words
  wake rename refuse deadline heard hear onPlace whole chats forgotten drafted begun goOn catchUp lookBack
  onStart answered listed saved shown passing subscribed merge stay
  enlist holds pump awaited tryAgain allRead
`;

export const names = `${PREACT} ${OURS}`.split(/\s+/).filter((name) => name !== '');
