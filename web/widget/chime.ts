/** Two soft notes, made here: no file is fetched. Browsers keep quiet until the visitor clicked. */

const NOTES_HZ = [660, 880];
const NOTE_S = 0.12;
const LOUDNESS = 0.08;

let audio: AudioContext | null = null;

export function chime(): void {
  try {
    audio ??= new AudioContext();
    const { currentTime, destination } = audio;
    for (const [idx, hertz] of NOTES_HZ.entries()) {
      const start = currentTime + idx * NOTE_S;
      const loudness = audio.createGain();
      loudness.gain.setValueAtTime(LOUDNESS, start);
      loudness.gain.exponentialRampToValueAtTime(0.001, start + 3 * NOTE_S);
      const note = audio.createOscillator();
      note.frequency.value = hertz;
      note.connect(loudness).connect(destination);
      note.start(start);
      note.stop(start + 3 * NOTE_S);
    }
  } catch {
    // No sound here; the badge says it too.
  }
}
