/** A person who works here, as the server tells of them. */

import { emailTrouble } from '../address.ts';
import type { Role } from '../session.ts';

export interface Agent {
  id: string;
  number: number;
  external_id?: string;
  name: string;
  display_name?: string;
  email?: string;
  avatar?: string;
  /** What the person is, in words for visitors. */
  title?: string;
  role: Role;
  disabled: boolean;
  /** Whether the person can sign in with an account here. */
  account?: 'none' | 'invited' | 'active';
  last_seen_at?: string;
  effective?: string;
  capacity: number;
  active: number;
  skills: string[];
  departments: string[];
}

/** What of a person is edited. */
export interface Person {
  name: string;
  display_name: string;
  title: string;
  email: string;
  role: Role;
  capacity: number;
  skills: string[];
  departments: string[];
}

export const CAPACITY_MIN = 1;
export const CAPACITY_MAX = 20;
export const SKILLS_MAX = 16;

export const ROLES: readonly (readonly [Role, string, string])[] = [
  ['agent', 'Agent', 'answers conversations'],
  ['supervisor', 'Supervisor', 'also moves and redacts those of others'],
  ['admin', 'Admin', 'also changes the settings'],
  ['owner', 'Owner', 'may do everything'],
];

export function personOf(agent: Agent): Person {
  return {
    name: agent.name,
    display_name: agent.display_name ?? '',
    title: agent.title ?? '',
    email: agent.email ?? '',
    role: agent.role,
    capacity: agent.capacity,
    skills: agent.skills,
    departments: agent.departments,
  };
}

export function personTroubles(person: Person): Record<string, string> {
  const troubles: Record<string, string> = {};
  if (person.name.trim() === '') troubles.name = 'A person needs a name.';
  const email = emailTrouble(person.email);
  if (email !== null) troubles.email = email;
  const { capacity } = person;
  if (!Number.isInteger(capacity) || capacity < CAPACITY_MIN || capacity > CAPACITY_MAX) {
    troubles.capacity = `Write ${CAPACITY_MIN} to ${CAPACITY_MAX}.`;
  }
  if (person.skills.length > SKILLS_MAX) troubles.skills = `At most ${SKILLS_MAX} skills.`;
  return troubles;
}

/** Words between commas or lines, each once. */
export function wordsIn(text: string): string[] {
  const words = text
    .split(/[,\n]/)
    .map((word) => word.trim())
    .filter((word) => word !== '');
  return [...new Set(words)];
}
